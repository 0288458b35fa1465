"""The range of a converter: so that nothing clips, or so that every level counts."""

import pytest
import torch

from crossloom.calibration import choose_integration_times
from crossloom.errors import ConfigError
from crossloom.mapping import MappingConfig, map_graph, sum_range
from crossloom.pipeline import simulate
from crossloom.programming import DirectSet, program
from crossloom.quant import QuantConfig, interpret_integers, quantize
from crossloom.runtime import run
from crossloom.spec import load_system
from flows import MACRO, noisy_system, normal, place_graph
from small_graphs import chain_graph, linear_graph

GRAPH, INPUTS = linear_graph(normal(12, 30)), normal(64, 30)
MODES = [{"kind": "bit_serial"}, {"kind": "pulse"}, {"kind": "multi_level"}]


def system_with(bits: int, pairing: str = "rows", is_signed: bool = True, is_dac_signed: bool = True):
    dac = {f"{MACRO}.dac": {"is_signed": is_dac_signed}, f"{MACRO}.pairing": pairing}
    return noisy_system(dac, readout={"bits": bits, "is_signed": is_signed})


def mapped_on(system, config: MappingConfig, graph=GRAPH, quant: dict | None = None):
    choices = QuantConfig(weight_bits=4, activation_bits=4, **(quant or {}))
    return map_graph(quantize(graph, choices, [(INPUTS,)]), config, system.macro)


def extremes(mapped, tile) -> tuple[float, float]:
    """The sums of one cycle for the worst inputs, one column at a time."""
    scheme, layer = mapped.schemes[tile.layer], mapped.quantized.layers[tile.layer]
    levels = mapped.levels(tile).double()
    if scheme.pairing == "rows":
        levels = levels[0::2] - levels[1::2]
    elif scheme.pairing == "columns":
        levels = levels[:, 0::2] - levels[:, 1::2]
    largest = {"bit_serial": 1, "pulse": 1, "multi_level": layer.input_range[1]}[scheme.input_mode.kind]
    lowest = -largest if layer.input_is_signed and mapped.macro.dac.is_signed else 0
    sums = [
        [sum(max(level * lowest, level * largest) for level in column) for column in levels.T.tolist()],
        [sum(min(level * lowest, level * largest) for level in column) for column in levels.T.tolist()],
    ]
    return min(sums[1]), max(sums[0])


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode["kind"])
@pytest.mark.parametrize("pairing", ["rows", "columns", "none"])
@pytest.mark.parametrize("is_dac_signed", [True, False])
@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("row_copies", [1, 2])
def test_by_maximum_the_worst_input_just_fits(mode, pairing, is_dac_signed, signs, row_copies):
    system = system_with(8, pairing, is_dac_signed=is_dac_signed)
    config = MappingConfig(input_mode=mode, full_scale="maximum", row_copies=row_copies)
    mapped = mapped_on(system, config, quant={"activations_are_signed": signs})
    tile, layer = mapped.tiles[0], mapped.quantized.layers["layer"]
    scheme = mapped.schemes["layer"]
    lowest, highest = extremes(mapped, tile)
    assert sum_range(layer, scheme, mapped.weight(tile), system.macro) == (lowest, highest)
    gain = system.macro.gain(tile.integration_time, scheme.level_step)
    assert max(gain * highest / 127, gain * lowest / -128) == pytest.approx(1)


def test_by_maximum_no_code_clips_on_any_input():
    """All inputs at their largest, with the signs of each column's weights."""
    system = system_with(4)
    placement = place_graph(GRAPH, INPUTS, system, MappingConfig(full_scale="maximum"))
    quantized = placement.mapped.quantized.layers["layer"]
    worst = quantized.weight.sign() * quantized.input_range[1] * quantized.input_step
    chips = program(placement, simulate(system), DirectSet())
    quality = run(chips, worst.float()).quality[0]
    assert quality.code_counts[0] == 0
    assert quality.code_counts[-1] > 0


def test_a_register_takes_the_longest_time_that_clips_nothing():
    system = load_system("tsinghua_c200")
    shares = []
    for number in range(2, 12):
        quant = QuantConfig(weight_bits=4, activation_bits=4)
        graph, inputs = linear_graph(normal(12, number)), normal(8, number)
        mapped = map_graph(
            quantize(graph, quant, [(inputs,)]), MappingConfig(full_scale="maximum"), system.macro
        )
        tile, scheme = mapped.tiles[0], mapped.schemes["layer"]
        time = 7 / extremes(mapped, tile)[1] / system.macro.gain(1, scheme.level_step)
        assert tile.integration_time == max(int(time), 1)
        shares.append(time % 1)
    assert max(shares) > 0.5


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode["kind"])
@pytest.mark.parametrize("row_copies", [1, 3])
def test_by_granularity_sums_convert_exactly_until_they_clip(mode, row_copies):
    """16 bits hold every sum of 30 products of 4 bits: the chips' answer is that of integers, to the last bit."""
    config = MappingConfig(input_mode=mode, full_scale="granularity", row_copies=row_copies)
    system = system_with(16)
    placement = place_graph(GRAPH, INPUTS, system, config)
    chips = program(placement, simulate(system), DirectSet())
    assert placement.mapped.tiles[0].integration_time == pytest.approx(1 / row_copies)
    exact = interpret_integers(placement.mapped.quantized, (INPUTS,))[0]
    assert torch.equal(run(chips, INPUTS).outputs, exact)
    narrow = system_with(4)
    clipped = program(place_graph(GRAPH, INPUTS, narrow, config), simulate(narrow), DirectSet())
    assert not torch.equal(run(clipped, INPUTS).outputs, exact)


def test_calibration_data_leave_ranges_that_come_from_weights():
    layers = {"layer1": {"full_scale": "maximum"}}
    graph = chain_graph(normal(6, 30), normal(3, 6))
    mapped = mapped_on(system_with(4), MappingConfig(layers=layers), graph)
    chosen = choose_integration_times(mapped, [(INPUTS,)])
    assert chosen.tiles[0] == mapped.tiles[0]
    assert chosen.tiles[1] != mapped.tiles[1]


def test_a_time_that_was_asked_for_goes_before_the_full_scale():
    mapped = mapped_on(system_with(4), MappingConfig(full_scale="maximum", integration_time=0.3))
    assert mapped.tiles[0].integration_time == 0.3


@pytest.mark.parametrize("kind", ["maximum", "granularity"])
def test_a_layer_of_zeros_has_a_legal_time(kind):
    graph = linear_graph(torch.zeros(12, 30))
    for system in (system_with(4), load_system("tsinghua_c200")):
        time = mapped_on(system, MappingConfig(full_scale=kind), graph).tiles[0].integration_time
        assert 0 < time < float("inf")


def test_an_unknown_full_scale_is_refused():
    with pytest.raises(ConfigError, match="'calibration', 'maximum', 'granularity'"):
        MappingConfig(full_scale="minimum")


@pytest.mark.parametrize(("bits", "fits"), [(2, False), (3, True), (8, True)])
def test_drivers_of_enough_bits_carry_a_whole_input(bits, fits):
    system = noisy_system({f"{MACRO}.dac": {"is_signed": True, "bits": bits}})
    config = MappingConfig(input_mode="multi_level")
    if fits:
        assert mapped_on(system, config).schemes["layer"].input_mode.kind == "multi_level"
    else:
        with pytest.raises(ConfigError, match="multi_level needs drivers of 3 bits a pulse; these carry 2"):
            mapped_on(system, config)
