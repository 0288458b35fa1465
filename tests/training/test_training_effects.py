"""Effects of training compose: alone and in pairs, at every share, from seeds and from files."""

from itertools import combinations

import pytest
import torch
from effects_layer import EFFECTS, LARGEST, SYSTEM, cells, conversion, inputs, integers, layer
from pydantic import TypeAdapter

from crossloom.circuits import TrainedProduct
from crossloom.errors import ConfigError
from crossloom.hardware import InputFormat
from crossloom.spec import BitSerial, load_system
from crossloom.training.effects import (
    AnyEffect,
    CellEffect,
    ConverterClipping,
    DropConnect,
    IrDrop,
    MatrixEffect,
    OutputNoise,
    StuckCells,
    SumEffect,
    WeightNoise,
    known_effects,
    scale_effects,
)

MATRIX, CODES = integers(), inputs()
ADAPTER = TypeAdapter(tuple[AnyEffect, ...])
EXACT = layer((), MATRIX, CODES)


def named(*kinds: str):
    return tuple(EFFECTS[kind] for kind in kinds)


def test_every_known_effect_is_tested_here():
    assert known_effects.names() == sorted(EFFECTS)


@pytest.mark.parametrize("kind", EFFECTS)
def test_every_effect_changes_the_sums(kind):
    assert (layer(named(kind), MATRIX, CODES) - EXACT).abs().max() > 1e-3


@pytest.mark.parametrize("pair", combinations(EFFECTS, 2), ids="+".join)
def test_every_effect_changes_the_sums_beside_every_other(pair):
    both = layer(named(*pair), MATRIX, CODES)
    for kind in pair:
        assert (layer(named(kind), MATRIX, CODES) - both).abs().max() > 1e-3


@pytest.mark.parametrize("kind", EFFECTS)
def test_the_same_seed_gives_the_same_numbers_and_another_gives_others(kind):
    first, again = layer(named(kind), MATRIX, CODES, 3), layer(named(kind), MATRIX, CODES, 3)
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    is_drawn = kind not in ("ir_drop", "converter_clipping")
    assert torch.equal(layer(named(kind), MATRIX, CODES, 4), first) is not is_drawn


def test_a_share_of_zero_is_nothing_and_of_one_is_all():
    effects = tuple(EFFECTS.values())
    assert scale_effects(effects, 0) == ()
    assert scale_effects(effects, 1) == effects


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(ConfigError, match="need 0 <= share <= 1"):
        scale_effects(tuple(EFFECTS.values()), share)


@pytest.mark.parametrize("kind", EFFECTS)
def test_a_larger_share_of_an_effect_does_more(kind):
    """Mean square of the change over 20 passes (seeds 0 to 19), within the range of codes: it grows with the share, and
    vanishes with it.
    """
    lowest, highest = -8, 7

    def change(share: float) -> float:
        effects = scale_effects(named(kind), share)
        passes = torch.stack([layer(effects, MATRIX, CODES, seed) for seed in range(20)])
        return (passes.clamp(lowest, highest) - EXACT.clamp(lowest, highest)).square().mean().item()

    whole, half, little = change(1.0), change(0.5), change(1e-3)
    assert whole > 1.2 * half > 0
    assert little < 0.01 * whole


def test_shares_of_shares_multiply():
    for kind in EFFECTS:
        (twice,), (once,) = (
            scale_effects(scale_effects(named(kind), 0.5), 0.5),
            scale_effects(named(kind), 0.25),
        )
        assert twice == once


def test_effects_come_back_from_json_by_their_kind():
    effects = tuple(EFFECTS.values())
    assert ADAPTER.validate_json(ADAPTER.dump_json(effects)) == effects


def test_a_bare_name_is_an_effect_with_everything_else_as_usual():
    assert ADAPTER.validate_python(("ir_drop",)) == (IrDrop(),)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"kind": "weight_nose", "sigma": 0.1},
            "no effect is called 'weight_nose'; did you mean weight_noise",
        ),
        ({"sigma": 0.1}, "an effect needs its kind"),
        ({"kind": "drop_connect", "probability": 2}, "probability: Input should be less than 1, got 2"),
    ],
)
def test_what_is_no_effect_is_refused_in_one_line(value, message):
    with pytest.raises((ConfigError, ValueError), match=message):
        ADAPTER.validate_python((value,))


@pytest.mark.parametrize("make", [OutputNoise, StuckCells, lambda: StuckCells(low=0.6, high=0.6)])
def test_effects_that_do_nothing_or_too_much_are_refused(make):
    with pytest.raises(ConfigError, match="need"):
        make()


@pytest.mark.parametrize(
    "kind", ["programming_errors", "ir_drop", "read_noise", "converter_offsets", "converter_clipping"]
)
def test_an_effect_that_finds_nothing_on_a_system_says_so_before_any_training(kind):
    EFFECTS[kind].check(SYSTEM.macro)
    with pytest.raises(ConfigError, match=f"{kind}: .*(give|use)"):
        EFFECTS[kind].check(load_system("ideal", {"chip.core.macro.readout": {"bits": None}}).macro)


def test_quick_wires_refuse_second_ends_before_any_training():
    wires = {"word_line": 1.0, "bit_line": 1.0, "far_driver": 0.0}
    system = load_system("ideal", {"chip.core.macro.crossbar.wires": wires})
    IrDrop().check(system.macro)
    with pytest.raises(ConfigError, match="one driver and one sensing end"):
        IrDrop(is_exact=False).check(system.macro)


@pytest.mark.parametrize("kind", [kind for kind in EFFECTS if not isinstance(EFFECTS[kind], SumEffect)])
def test_gradients_pass_effects_on_weights_and_cells(kind):
    matrix = MATRIX.clone().requires_grad_()
    layer(named(kind), matrix, CODES).sum().backward()
    plain = MATRIX.clone().requires_grad_()
    layer((), plain, CODES).sum().backward()
    assert matrix.grad is not None
    assert plain.grad is not None
    ratio = matrix.grad / plain.grad
    if kind in ("weight_noise", "programming_errors"):
        torch.testing.assert_close(ratio, torch.ones_like(ratio))
    elif kind == "ir_drop":
        assert (ratio > 0).all()
        assert (ratio < 1.1).all()
    else:  # 1 where the weight is as it was, 0 where it is absent or its cell is stuck
        assert torch.equal(ratio.round(decimals=4).unique(), torch.tensor([0.0, 1.0]))


@pytest.mark.parametrize("kind", [kind for kind in EFFECTS if isinstance(EFFECTS[kind], SumEffect)])
def test_gradients_pass_effects_on_sums(kind):
    """Of inputs, matrix and all three steps, through the product that training runs."""
    torch.manual_seed(0)
    effect, matrix = EFFECTS[kind], MATRIX.clone().requires_grad_()
    assert isinstance(effect, SumEffect)
    rules = TrainedProduct(InputFormat(BitSerial(), 4, True), SYSTEM.macro.dac, (-8, 7))
    values = torch.randn(32, CODES.shape[1], requires_grad=True)
    steps = [torch.tensor(value, requires_grad=True) for value in (0.3, 0.1, 0.6)]
    gain = (steps[0] * steps[1] / steps[2]).detach().double()

    def disturb(sums, cycles):
        return effect.on_sums(sums, conversion(cycles.values, matrix, gain=gain))

    answer = rules(values, matrix, *steps, gain=gain, disturb=disturb)
    answer.square().sum().backward()
    for leaf in (values, matrix, *steps):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()
        assert leaf.grad.abs().max() > 0


def test_the_gradient_of_wires_is_that_of_finite_differences():
    small = cells(integers(3, 4), SYSTEM.macro.cell.g_min).double() / 1e-5
    for effect in (IrDrop(), IrDrop(is_exact=False), IrDrop(share=0.5)):
        assert torch.autograd.gradcheck(
            lambda scaled, effect=effect: effect.on_cells(scaled * 1e-5, SYSTEM.macro) / 1e-5,
            (small.clone().requires_grad_(),),
        )


def test_weight_noise_is_relative_to_the_largest_integer():
    """100,000 weights, seed 0: a standard deviation of sigma times the range, within 1 %; the clip takes 0.3 %."""
    torch.manual_seed(0)
    change = WeightNoise(sigma=0.06).on_matrix(torch.zeros(100, 1000), LARGEST)
    assert change.std().item() == pytest.approx(0.06 * 2 * LARGEST, rel=0.01)
    assert change.abs().max().item() <= 3.001 * 0.06 * 2 * LARGEST


def test_drop_connect_drops_the_share_that_it_says():
    """100,000 weights, seed 0: five standard errors are 0.0063."""
    torch.manual_seed(0)
    left = DropConnect(probability=0.2).on_matrix(torch.full((100, 1000), 3.0), LARGEST)
    assert (left == 0).float().mean().item() == pytest.approx(0.2, abs=0.0063)
    assert torch.equal(left.unique(), torch.tensor([0.0, 3.0]))


def test_clipped_converters_end_early():
    sums = torch.linspace(-20, 20, 81).view(1, -1)
    clipped = ConverterClipping(full_scale=0.5).on_sums(sums, conversion(torch.ones(1, 20), MATRIX))
    assert (clipped.min().item(), clipped.max().item()) == (-4.0, 3.5)


def test_effects_on_cells_leave_conductances_that_can_be():
    """None below zero, in 20 passes over cells near zero."""
    torch.manual_seed(0)
    near_zero = torch.full((40, 50), 1e-7)
    for effect in EFFECTS.values():
        if isinstance(effect, CellEffect):
            lowest = min(effect.on_cells(near_zero, SYSTEM.macro).min().item() for _ in range(20))
            assert lowest >= 0, effect


def test_effects_keep_the_type_of_what_they_change():
    for effect in EFFECTS.values():
        for dtype in (torch.float32, torch.float64):
            values = MATRIX.to(dtype).abs() * 1e-6
            if isinstance(effect, CellEffect):
                assert effect.on_cells(values, SYSTEM.macro).dtype == dtype
            if isinstance(effect, MatrixEffect):
                assert effect.on_matrix(values, LARGEST).dtype == dtype
            if isinstance(effect, SumEffect):
                met = conversion(CODES.to(dtype), MATRIX.to(dtype))
                assert effect.on_sums(torch.zeros(32, 8, dtype=dtype), met).dtype == dtype
