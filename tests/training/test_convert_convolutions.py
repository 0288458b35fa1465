"""Convolutions of every kind: integers exactly, torch's own within quantisation, groups as cells, slices as whole."""

import pytest
import torch
from torch import nn

from crossloom.mapping import MappingConfig
from crossloom.spec import load_system
from crossloom.training import AnalogConfig, StuckCells, convert_to_analog, convert_to_digital
from flows import CELL, MACRO, normal

IDEAL = load_system("ideal")
SHAPES = {nn.Conv1d: (12,), nn.Conv2d: (7, 6), nn.Conv3d: (5, 4, 6)}
OPTIONS = {
    "plain": {},
    "unbiased": {"bias": False},
    "padded": {"padding": 1},
    "strided": {"stride": 2, "padding": 2},
    "dilated": {"dilation": 2, "padding": 2},
    "same": {"padding": "same"},
    "same, dilated": {"padding": "same", "dilation": 2},
    "valid": {"padding": "valid"},
    "groups": {"groups": 2, "padding": 1},
    "depthwise": {"groups": 4, "out_channels": 8, "stride": 2},
    "reflect": {"padding": 1, "padding_mode": "reflect"},
    "replicate": {"padding": "same", "padding_mode": "replicate"},
    "circular": {"padding": 1, "padding_mode": "circular", "groups": 2},
}


def made(kind: type, options: dict) -> nn.Module:
    torch.manual_seed(0)
    return kind(**{"in_channels": 4, "out_channels": 6, "kernel_size": 3, **options})


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("kind", SHAPES)
def test_every_convolution_is_that_of_its_integers_exactly_and_torchs_own_nearly(kind, name):
    """With 6 bits, sums are whole numbers below 2^24; with 12, every error is below 1/1000 of the largest output."""
    plain, values = made(kind, OPTIONS[name]), normal(3, 4, *SHAPES[kind])
    analog = convert_to_analog(plain, IDEAL, AnalogConfig(weight_bits=6, activation_bits=6), values)
    matrix, integers = analog.matrix, made(kind, {**OPTIONS[name], "bias": False})
    with torch.no_grad():
        codes = (values / matrix.input_step).round().clamp(-31, 31)
        integers.weight.copy_(matrix.integers(plain.weight))
        scale = (matrix.weight_step.double() * matrix.input_step.double()).float()
        along = (-1, *[1] * len(SHAPES[kind]))
        bias = 0 if plain.bias is None else plain.bias.view(along)
        assert torch.equal(analog(values), integers(codes) * scale.view(along) + bias)
        assert torch.equal(analog(values[0]), analog(values)[0])
        fine = convert_to_analog(plain, IDEAL, AnalogConfig(weight_bits=12, activation_bits=12), values)
        wanted = plain(values)
        assert (fine(values) - wanted).abs().max() < 1e-3 * wanted.abs().max()
        back = convert_to_digital(fine)
        assert repr(back) == repr(plain)
        assert (back(values) - wanted).abs().max() < 1e-3 * wanted.abs().max()


@pytest.mark.parametrize("mapping", [{}, {"input_mode": "pulse"}, {"input_mode": "bit_serial"}], ids=str)
def test_groups_as_cells_are_the_groups_as_they_are(mapping):
    """A tiny share of stuck cells makes the layer lie as a block-diagonal matrix of cells; none is stuck (seed 0)."""
    plain, values = made(nn.Conv2d, OPTIONS["groups"]), normal(3, 4, 7, 6)
    answers = []
    for effects in ((), (StuckCells(low=1e-9),)):
        torch.manual_seed(0)
        system = load_system("ideal", {f"{MACRO}.readout.bits": 6})
        chosen = MappingConfig(**mapping)
        config = AnalogConfig(weight_bits=4, activation_bits=4, effects=effects, mapping=chosen)
        analog = convert_to_analog(plain, system, config, values).train()
        given = values.clone().requires_grad_()
        answer = analog(given)
        answer.square().sum().backward()
        answers.append([answer, given.grad, *(parameter.grad for parameter in analog.parameters())])
        ((tile,),) = analog.matrix.hold(analog.weight).copies
        assert (tile.conductance is not None) is bool(effects)
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "mapping",
    [
        {"slicing": "sign_magnitude", "bits_per_cell": 1},
        {"slicing": "sign_magnitude", "bits_per_cell": 2},
        {"encoding": "offset_column"},
        {"encoding": "offset_column", "slicing": "twos_complement", "bits_per_cell": 1},
        {"encoding": "offset_column", "slicing": "twos_complement", "bits_per_cell": 2},
    ],
    ids=lambda mapping: " ".join(map(str, mapping.values())),
)
@pytest.mark.parametrize("pairing", ["rows", "columns", "none"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_slices_and_reference_columns_with_ideal_converters_are_the_whole_weight(
    mapping, pairing, per_channel
):
    """Outputs within 1e-6 (float32 of one scale), gradients of everything within 1e-5: shares of digits add up to 1."""
    system = load_system("ideal", {f"{MACRO}.pairing": pairing, f"{CELL}.g_min": 1e-6})
    torch.manual_seed(0)
    plain, values, answers = nn.Linear(6, 5), normal(7, 6), []
    for chosen in ({}, mapping):
        config = AnalogConfig(
            weight_bits=4, activation_bits=6, per_channel=per_channel, mapping=MappingConfig(**chosen)
        )
        config = config if chosen else config.replace(mapping=MappingConfig(encoding="differential_pair"))
        whole = load_system("ideal") if not chosen else system
        analog = convert_to_analog(plain, whole, config, values)
        assert analog.matrix.plan.is_whole is (not chosen)
        given = values.clone().requires_grad_()
        answer = analog(given)
        (answer * normal(*answer.shape, seed=4)).sum().backward()
        answers.append(
            [answer, given.grad, analog.weight.grad, analog.bias.grad, analog.matrix.input_step.grad]
        )
    torch.testing.assert_close(answers[0][0], answers[1][0], rtol=0, atol=1e-6)
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [nn.Linear, nn.Conv2d])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_layer_cut_into_tiles_learns_as_the_whole_layer_does(kind, per_channel):
    """With ideal converters; gradients of everything, steps too, within 1e-4 of each other."""
    torch.manual_seed(0)
    plain, values = (
        (nn.Linear(90, 5), normal(7, 90)) if kind is nn.Linear else (nn.Conv2d(10, 5, 3), normal(3, 10, 6, 5))
    )
    config, answers = AnalogConfig(weight_bits=4, activation_bits=4, per_channel=per_channel), []
    for num_rows in (1152, 40):
        system = load_system("ideal", {f"{MACRO}.crossbar.num_rows": num_rows})
        analog = convert_to_analog(plain, system, config, values)
        assert len(analog.matrix.plan.spans) == (1 if num_rows > 90 else 3)
        given = values.clone().requires_grad_()
        answer = analog(given)
        answer.square().sum().backward()
        answers.append([answer, given.grad, *(parameter.grad for parameter in analog.parameters())])
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
