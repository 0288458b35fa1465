"""The exhaustive search: the best register of every layer, one after the other, by the whole network."""

from itertools import product

import pytest
from test_layer_by_layer import error
from tuning_cases import INPUTS, c200, chain_chips

from crossloom.mapping import MappingConfig
from crossloom.programming import LayerCorrection, TileCorrection
from crossloom.runtime import run
from crossloom.search.tuning import Exhaustive, LayerByLayer, tune
from crossloom.search.tuning.scoring import output_error, with_layers

CONFIG = Exhaustive(num_samples=40)


@pytest.mark.slow
def test_every_register_of_the_first_layer_is_judged_by_the_networks_outputs():
    """All 63 runs of the whole network by hand find the same first register."""
    chips = chain_chips(c200(0.06, offset=0.5))
    result = tune(chips, INPUTS, CONFIG)
    exact = run(chips, INPUTS[:40], mode="integer", probe_samples=0).outputs
    numbers = chips.placement.mapped.tiles_of["layer1"]
    errors = []
    for time in range(1, 64):
        tiles = dict.fromkeys(numbers, TileCorrection(float(time)))
        at_time = with_layers(chips, {"layer1": LayerCorrection(tiles)})
        errors.append(output_error(run(at_time, INPUTS[:40], probe_samples=0).outputs, exact))
    assert result.layers[0].error_after == pytest.approx(min(errors), rel=1e-6)
    found = result.layers[0].settings_after["integration_time"]
    assert errors[int(found) - 1] == pytest.approx(min(errors), rel=1e-6)


@pytest.mark.slow
def test_layer_by_layer_recovers_nine_tenths_of_what_exhaustion_finds():
    """Wrong registers to begin with; four sets of chips, error of 300 fresh samples."""
    gaps = []
    for seed, way in product(range(4), (CONFIG, LayerByLayer(knobs=("integration_time",), num_samples=40))):
        chips = chain_chips(c200(0.06, offset=0.5), seed, MappingConfig(integration_time=40.0))
        result = tune(chips, INPUTS, way)
        gaps.append((error(chips) - error(result.chips), result.num_evaluations))
    exhaustive, layered = gaps[0::2], gaps[1::2]
    assert sum(gain for gain, _ in layered) >= 0.9 * sum(gain for gain, _ in exhaustive)
