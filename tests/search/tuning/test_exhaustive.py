"""The exhaustive search: the best register of every layer, one after the other, by the whole network."""

from itertools import product

import pytest
from test_layer_by_layer import error
from tuning_cases import INPUTS, c200, chain_chips, chain_placement

from crossloom.backends import SimulatedBackend
from crossloom.errors import ConfigError
from crossloom.mapping import MappingConfig
from crossloom.programming import LayerCorrection, TileCorrection, program
from crossloom.runtime import run
from crossloom.search.tuning import Exhaustive, LayerByLayer, choose_reference, tune, tune_exhaustively
from crossloom.search.tuning.scoring import output_error, with_layers

CONFIG = Exhaustive(num_samples=40)
ALL = ("integration_time", "offset", "gain")


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


@pytest.mark.parametrize("knobs", [(), ("offset",), ("integration_time", "gain"), ("integration_time",) * 2])
def test_knobs_that_it_does_not_try_are_refused(knobs):
    with pytest.raises(ConfigError, match="knobs"):
        Exhaustive(knobs=knobs)


@pytest.mark.slow
def test_lines_are_fitted_to_the_reference_that_networks_are_judged_by():
    """All registers at 40, where nominal converters clip. Lines towards exact sums would leave errors above 0.2 on both
    sets of chips (0.23 and 0.29), lines towards what nominal chips answer leave 0.12 and 0.11; 64 vectors a layer."""
    way = CONFIG.replace(knobs=ALL, reference="nominal", num_vectors=64)
    for seed in range(2):
        chips = chain_chips(c200(0.06, offset=0.5), seed, MappingConfig(integration_time=40.0))
        assert tune(chips, INPUTS, way).after.error < 0.15


@pytest.mark.slow
def test_more_rounds_find_what_one_cannot_since_layers_behind_the_first_were_wrong():
    """Nominal chips at 20, searched towards the reference of a mapping at 40: one round ends with an error above 0.1,
    since the first layer makes up for the others; three rounds halve that. Without that reference there is nothing to
    mend."""
    first, second = (
        program(chain_placement(mapping=MappingConfig(integration_time=time)), SimulatedBackend(c200(None)))
        for time in (40.0, 20.0)
    )
    way = CONFIG.replace(reference="nominal", num_samples=16)
    assert tune(second, INPUTS, way).before.error < 1e-12
    reference = choose_reference(first, INPUTS, way)
    one, three = (
        tune_exhaustively(second, INPUTS, way.replace(num_rounds=number), reference) for number in (1, 3)
    )
    assert one.after.error > 0.1
    assert three.after.error < one.after.error / 2
    assert [layer.layer for layer in three.layers] == ["layer1", "layer2", "layer3"]
    assert {layer.settings_before["integration_time"] for layer in three.layers} == {20.0}
