"""Corrections in a run: the fast way, folded into steps that run anyway, beside the slow and obvious one."""

from dataclasses import replace

import pytest
import torch

from crossloom.mapping import MappingConfig
from crossloom.programming import Corrections, LayerCorrection, TileCorrection
from crossloom.runtime import run
from crossloom.spec import load_system
from flows import noisy_system, normal, program_graph
from small_graphs import linear_graph

CASES = {
    "one tile": (normal(12, 30), MappingConfig()),
    "tiles side by side": (normal(40, 30), MappingConfig()),
    "tiles that add up": (normal(12, 90), MappingConfig()),
    "copies": (normal(12, 30), MappingConfig(copies=3)),
}


@pytest.mark.parametrize("system", ["ideal", "8 bits"])
@pytest.mark.parametrize("case", CASES)
def test_gains_offsets_scale_and_bias_do_what_they_say(case, system):
    weight, mapping = CASES[case]
    num_outputs, num_inputs = weight.shape
    inputs = normal(20, num_inputs, seed=3)
    spec = noisy_system() if system == "8 bits" else noisy_system(readout={"bits": None})
    chips = program_graph(linear_graph(weight, normal(num_outputs, seed=4)), inputs, spec, mapping)
    mapped = chips.placement.mapped
    tiles = {
        number: TileCorrection(gain=1 + 0.1 * draw(tile, number), offset=5 * draw(tile, number + 100))
        for number, tile in enumerate(mapped.tiles)
    }
    scale, bias = 1 + 0.1 * normal(num_outputs, seed=5).double(), normal(num_outputs, seed=6)
    layer = mapped.quantized.layers["layer"]
    answered = run(with_layer(chips, LayerCorrection(tiles, scale, bias)), inputs).outputs
    wanted = torch.zeros(20, num_outputs, dtype=torch.float64)
    step = layer.weight_step * layer.input_step
    for number, tile in enumerate(mapped.tiles):
        alone = LayerCorrection(
            {other: TileCorrection(gain=0 * one.gain, offset=0 * one.offset) for other, one in tiles.items()}
        )
        plain = replace(alone, tiles={**alone.tiles, number: TileCorrection()})
        sums = (run(with_layer(chips, plain), inputs).outputs.double() - layer.bias) / step
        span = slice(tile.output_start, tile.output_stop)
        copies = mapped.schemes["layer"].copies
        found = tiles[number]
        wanted[:, span] += sums[:, span] * found.gain + found.offset / copies
    torch.testing.assert_close(answered.double(), wanted * step * scale + bias, rtol=1e-4, atol=1e-4)


def test_an_integration_time_of_its_own_reaches_the_converter():
    """A fifth of the time: a coarser code, but no other scale."""
    system = load_system("tsinghua_c200").noiseless()
    chips = program_graph(linear_graph(normal(12, 30)), normal(40, 30, seed=3), system)
    inputs = normal(40, 30, seed=3)
    exact = run(chips, inputs, mode="integer").outputs
    time = chips.placement.mapped.tiles[0].integration_time
    short = with_layer(chips, LayerCorrection({0: TileCorrection(max(round(time / 5), 1))}))
    errors = [(run(one, inputs).outputs - exact).square().mean() for one in (chips, short)]
    slope = (run(short, inputs).outputs * exact).sum() / exact.square().sum()
    assert errors[1] > 2 * errors[0]
    assert 0.5 < slope < 1.5


def test_corrections_leave_the_integer_interpreter_alone():
    chips = program_graph(linear_graph(normal(12, 30)), normal(40, 30), noisy_system())
    scale = LayerCorrection(scale=torch.full((12,), 2.0, dtype=torch.float64))
    inputs = normal(9, 30)
    for mode in ("integer", "float"):
        before, after = (run(one, inputs, mode=mode).outputs for one in (chips, with_layer(chips, scale)))
        assert torch.equal(before, after)


def draw(tile, seed: int) -> torch.Tensor:
    return normal(tile.output_stop - tile.output_start, seed=seed).double()


def with_layer(chips, correction: LayerCorrection):
    return replace(chips, corrections=Corrections("any", "", "", {"layer": correction}))
