"""Integration times from data: none that is legal would have been better."""

import pytest
import torch

from crossloom.calibration import choose_integration_times
from crossloom.errors import DataError
from crossloom.mapping import MappedGraph, MappingConfig
from crossloom.pipeline import simulate
from crossloom.programming import DirectSet, program
from crossloom.quant import QuantConfig, interpret_integers
from crossloom.runtime import run
from crossloom.spec import load_system
from flows import noisy_system, normal, place_graph
from small_graphs import attention_like_graph, chain_graph, linear_graph

GRAPH, INPUTS = linear_graph(normal(12, 30)), normal(16, 30)
FIRST = load_system("tsinghua_c200")
QUANT = QuantConfig(weight_bits=4, activation_bits=4, per_channel=False)


def errors_of(mapped: MappedGraph, placement, inputs) -> float:
    system = placement.system.noiseless()
    chips = program(placement.with_mapped(mapped), simulate(system), DirectSet())
    exact = interpret_integers(mapped.quantized, (inputs,))[0]
    return (run(chips, inputs, probe_samples=0).outputs - exact).double().square().mean().item()


@pytest.mark.parametrize("mode", [{"kind": "bit_serial"}, {"kind": "pulse"}])
@pytest.mark.parametrize("row_copies", [1, 2])
def test_no_other_integration_time_converts_better(mode, row_copies):
    mapping = MappingConfig(input_mode=mode, row_copies=row_copies)
    placement = place_graph(GRAPH, INPUTS, FIRST, mapping, QUANT)
    chosen = choose_integration_times(placement.mapped, [(INPUTS,)])
    errors = {
        time: errors_of(placement.mapped.with_integration_times({0: time}), placement, INPUTS)
        for time in range(1, 20)
    }
    assert errors[int(chosen.tiles[0].integration_time)] <= min(errors.values()) * (1 + 1e-6)
    assert max(errors.values()) > 2 * min(errors.values())


def test_times_are_at_least_as_good_as_the_first_guess_without_an_integrator():
    system = noisy_system(readout={"bits": 4})
    placement = place_graph(GRAPH, INPUTS, system, quant=QUANT)
    chosen = choose_integration_times(placement.mapped, [(INPUTS,)])
    assert errors_of(chosen, placement, INPUTS) <= errors_of(placement.mapped, placement, INPUTS)


def test_times_that_were_asked_for_stay():
    mapping = MappingConfig(layers={"layer1": {"integration_time": 5}})
    placement = place_graph(chain_graph(normal(6, 30), normal(3, 6)), INPUTS, FIRST, mapping)
    chosen = choose_integration_times(placement.mapped, [(INPUTS,)])
    assert chosen.tiles[0].integration_time == 5
    assert all(1 <= tile.integration_time <= 63 for tile in chosen.tiles)


def test_copies_of_a_block_get_the_same_time():
    placement = place_graph(GRAPH, INPUTS, FIRST, MappingConfig(copies=3))
    chosen = choose_integration_times(placement.mapped, [(INPUTS,)])
    assert len({tile.integration_time for tile in chosen.tiles}) == 1


def test_ideal_converters_need_no_times():
    placement = place_graph(GRAPH, INPUTS, load_system("ideal"))
    assert choose_integration_times(placement.mapped, [(INPUTS,)]) is placement.mapped


def test_tokens_along_any_axis_are_calibrated():
    graph, inputs = attention_like_graph(normal(8, 6), normal(3, 8), 5), normal(40, 5, 6)
    placement = place_graph(graph, inputs, noisy_system(readout={"bits": 4}))
    chosen = choose_integration_times(placement.mapped, [(inputs,)])
    assert all(tile.integration_time > 0 for tile in chosen.tiles)


def test_a_layer_that_sees_only_zeros_keeps_a_legal_time():
    placement = place_graph(GRAPH, torch.zeros(4, 30), FIRST)
    chosen = choose_integration_times(placement.mapped, [(torch.zeros(4, 30),)])
    assert all(1 <= tile.integration_time <= 63 for tile in chosen.tiles)


@pytest.mark.parametrize("data", [[], [(torch.zeros(3, 31),)], [(torch.full((3, 30), float("nan")),)]])
def test_data_that_do_not_fit_are_refused(data):
    placement = place_graph(GRAPH, INPUTS, FIRST)
    with pytest.raises(DataError):
        choose_integration_times(placement.mapped, data)
