"""Converters are drawn once, each effect on its own, and what columns share they share."""

import pytest
import torch

from crossloom.circuits import (
    EffectiveArray,
    MacroFunction,
    convert,
    draw_converters,
    effective_bits,
    ideal_transitions,
    macro_function,
    make_staircase,
    transitions_of,
)
from crossloom.hardware import DenseCodes, InputFormat, WindowedCodes
from crossloom.seeds import derive_generator
from crossloom.spec import DacSpec, MultiLevel, RampAdc, ReadoutSpec, SarAdc
from crossloom.windows import Window

COLUMNS = 12


def draw(seed: int = 0, **readout):
    return draw_converters(ReadoutSpec(bits=6, **readout), COLUMNS, lambda name: derive_generator(seed, name))


def convert_by(sums: torch.Tensor, code_range: tuple[int, int], transitions: torch.Tensor) -> torch.Tensor:
    """Codes by transitions [output or 1, transition]."""
    return convert(sums, code_range, make_staircase(transitions, code_range, sums.dtype))


def function_of(matrix: torch.Tensor, transitions: torch.Tensor | None, **choices) -> MacroFunction:
    return macro_function(
        EffectiveArray(matrix),
        torch.ones(matrix.shape[1]),
        None,
        InputFormat(MultiLevel(), 4, True),
        DacSpec(is_signed=True),
        ReadoutSpec(**{"bits": 6, **choices}),
        transitions,
    )


def test_nothing_is_drawn_of_a_converter_with_nothing_wrong():
    for adc in ("ideal", RampAdc(), SarAdc(), RampAdc(nonlinearity=(0, 0)), SarAdc(capacitor_mismatch=0.0)):
        drawn = draw(adc=adc, offset=0.0, differential_nonlinearity=0.0)
        assert (drawn.offset, drawn.gain, drawn.transitions) == (None, None, None)


@pytest.mark.parametrize(
    "other",
    [
        {"differential_nonlinearity": 0.1},
        {"adc": SarAdc(capacitor_mismatch=0.1)},
        {"adc": RampAdc(nonlinearity=(0.0, 1.0, 0.0))},
        {"adc": RampAdc()},
    ],
    ids=str,
)
def test_offset_and_gain_are_drawn_as_ever_whatever_else_is_on(other):
    """As by the first version: two rows of standard normal numbers, offset first."""
    drawn = draw(offset=0.5, gain_error=0.02, **other)
    generator = derive_generator(0, "converters")
    first = torch.randn(2, COLUMNS, generator=generator, dtype=torch.float64)
    assert torch.equal(drawn.offset, 0.5 * first[0])
    assert torch.equal(drawn.gain, 1 + 0.02 * first[1])


def test_every_effect_has_draws_of_its_own():
    sar = SarAdc(capacitor_mismatch=0.1, comparator_offset=0.5)
    both, alone = draw(adc=sar, offset=0.5), draw(adc=sar)
    assert torch.equal(both.transitions, alone.transitions)
    torch.testing.assert_close(both.offset, alone.offset + draw(offset=0.5).offset)
    widths = draw(differential_nonlinearity=0.02).transitions - ideal_transitions((-32, 31))
    joined = draw(adc=SarAdc(capacitor_mismatch=0.01), differential_nonlinearity=0.02).transitions
    torch.testing.assert_close(joined, draw(adc=SarAdc(capacitor_mismatch=0.01)).transitions + widths)


def test_other_seeds_are_other_converters():
    for one in ({"adc": SarAdc(capacitor_mismatch=0.1)}, {"differential_nonlinearity": 0.1}):
        assert torch.equal(draw(1, **one).transitions, draw(1, **one).transitions)
        assert not torch.equal(draw(1, **one).transitions, draw(2, **one).transitions)


@pytest.mark.parametrize("each", [1, 4, 5, 12])
def test_columns_of_one_converter_share_what_is_wrong_with_it(each):
    sar = SarAdc(capacitor_mismatch=0.1, comparator_offset=0.5)
    drawn = draw(columns_per_adc=each, adc=sar, gain_error=0.1, offset=0.1)
    transitions = transitions_of(drawn.transitions, each, torch.arange(COLUMNS)).expand(COLUMNS, -1)
    for start in range(0, COLUMNS, each):
        for values in (drawn.offset, drawn.gain, transitions):
            assert (values[start : start + each] == values[start]).all()
    assert (
        len(drawn.offset.unique())
        == len(drawn.gain.unique())
        == len(drawn.transitions)
        == -(-COLUMNS // each)
    )


@pytest.mark.parametrize(("each", "number"), [(None, 1), (5, 3), (1, 12)])
def test_columns_of_one_ramp_share_its_slope_and_its_steps_but_no_comparator(each, number):
    ramp = RampAdc(columns_per_ramp=each, slope_error=0.1, comparator_offset=0.5)
    drawn = draw(adc=ramp, differential_nonlinearity=0.1)
    assert len(drawn.gain.unique()) == len(drawn.transitions.unique(dim=0)) == number
    assert len(drawn.offset.unique()) == COLUMNS
    transitions = transitions_of(drawn.transitions, each, torch.tensor([0, 4, 5, 11]))
    assert torch.equal(transitions.expand(4, -1)[:2], drawn.transitions[[0, 0 if number < 12 else 4]])


def test_spreads_are_those_asked_for():
    """20,000 columns; 5 sigma of a standard deviation."""
    ramp = RampAdc(columns_per_ramp=1, slope_error=0.03, comparator_offset=0.7)
    drawn = draw_converters(ReadoutSpec(bits=4, adc=ramp), 20_000, lambda name: derive_generator(3, name))
    slack = 5 / 40_000**0.5
    assert abs(drawn.gain.std().item() / 0.03 - 1) < slack
    assert abs(drawn.offset.std().item() / 0.7 - 1) < slack
    assert abs(drawn.gain.mean().item() - 1) < 5 * 0.03 / 20_000**0.5


def test_an_offset_of_the_comparator_is_one_of_the_converter():
    """It moves every level by as much: folded into the sums, it gives the same codes."""
    transitions = draw(adc=SarAdc(capacitor_mismatch=0.1)).transitions[:1]
    sums = 20 * torch.randn(500, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(
        convert_by(sums, (-32, 31), transitions + 0.7), convert_by(sums - 0.7, (-32, 31), transitions)
    )


def test_a_code_is_the_number_of_levels_below():
    transitions = draw(differential_nonlinearity=0.3).transitions
    sums = 20 * torch.randn(40, COLUMNS, 3, 2, generator=torch.Generator().manual_seed(1))
    codes = convert_by(sums, (-32, 31), transitions)
    below = (sums.unsqueeze(-1) > transitions.float().view(1, COLUMNS, 1, 1, -1)).sum(-1) - 32
    assert torch.equal(codes, below.float())
    assert codes.min() == -32
    assert codes.max() == 31


def test_levels_that_all_share_give_what_they_give_one_by_one():
    transitions = draw(adc=RampAdc(nonlinearity=(0, 1, 0))).transitions
    sums = 20 * torch.randn(40, COLUMNS, 3, generator=torch.Generator().manual_seed(1))
    assert len(transitions) == 1
    assert torch.equal(
        convert_by(sums, (-32, 31), transitions), convert_by(sums, (-32, 31), transitions.expand(COLUMNS, -1))
    )


def test_gradients_pass_straight_through_levels_within_the_range():
    sums = torch.tensor([[-40.0], [-33.2], [-31.0], [0.3], [31.9], [33.0]], requires_grad=True)
    ideal = ideal_transitions((-32, 31)).unsqueeze(0)
    codes = convert_by(sums, (-32, 31), ideal)
    codes.sum().backward()
    by_levels, sums.grad = sums.grad, None
    plain = convert(sums, (-32, 31))
    plain.sum().backward()
    assert torch.equal(codes, plain)
    assert torch.equal(by_levels, sums.grad)
    assert by_levels.flatten().tolist() == [0, 0, 1, 1, 0, 0]


def test_a_macro_converts_by_the_levels_of_each_output():
    matrix = torch.randint(-4, 5, (9, 4), generator=torch.Generator().manual_seed(0)).double()
    transitions = draw(adc=SarAdc(capacitor_mismatch=0.2)).transitions[:4]
    codes = DenseCodes(torch.randint(-7, 8, (200, 9)).float(), 200)
    answered = function_of(matrix, transitions)(codes).sums
    for output in range(4):
        alone = function_of(matrix[:, output : output + 1], transitions[output : output + 1])(codes).sums
        assert torch.equal(answered[:, output : output + 1], alone)
    assert not torch.equal(answered, function_of(matrix, None)(codes).sums)
    assert torch.equal(
        function_of(matrix, ideal_transitions((-32, 31)).unsqueeze(0))(codes).sums,
        function_of(matrix, None)(codes).sums,
    )


def test_windowed_and_dense_codes_meet_the_same_levels():
    window = Window((2, 2), (1, 1), (1, 0), (1, 1))
    generator = torch.Generator().manual_seed(0)
    codes = WindowedCodes(torch.randint(-3, 4, (2, 3, 4, 5), generator=generator).float(), 2, window)
    matrix = torch.randint(-3, 4, (12, 5), generator=generator).double()
    function = function_of(matrix, draw(differential_nonlinearity=0.3).transitions[:5])
    assert torch.equal(function(codes).sums, function(codes.dense()).sums)


def test_effective_bits_of_drawn_converters_are_one_for_each():
    worth = effective_bits(draw(adc=SarAdc(capacitor_mismatch=0.1)).transitions, (-32, 31))
    assert worth.shape == (COLUMNS,)
    assert (worth < 6).all()
    assert len(worth.unique()) == COLUMNS
