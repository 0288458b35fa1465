"""The waterfall says where accuracy goes, and which nonidealities did nothing."""

import pytest
import torch

from crossloom.backends import MockBackend, SimulatedBackend
from crossloom.errors import DataError
from crossloom.graph import Graph
from crossloom.pipeline import waterfall
from crossloom.programming import attach, program
from crossloom.runtime import run
from crossloom.spec import load_system
from flows import MACRO, noisy_system, normal, place_graph, program_graph
from small_graphs import chain_graph, diamond_graph

GRAPH, INPUTS = chain_graph(normal(16, 20, seed=1), normal(5, 16, seed=2)), normal(80, 20)
NAMES = ["float", "quantised", "mapped, ideal chip", "programmed", "with read noise"]


def fall_of(system, labels=None, **choices):
    chips = program_graph(GRAPH, INPUTS, system)
    return waterfall(chips, run(chips, INPUTS, **choices), labels)


def labels_of_float() -> torch.Tensor:
    chips = program_graph(GRAPH, INPUTS, load_system("ideal"))
    return run(chips, INPUTS, mode="float").outputs.argmax(1)


def test_the_stations_come_in_order_and_lose_signal_on_the_way():
    fall = fall_of(noisy_system(programming_error=5e-6, read_noise=1e-5), labels_of_float())
    assert [station.name for station in fall.stations] == NAMES
    ratios = [station.snr_db for station in fall.stations]
    assert ratios[0] is None
    assert ratios[1:] == sorted(ratios[1:], reverse=True)
    assert fall.stations[0].accuracy == 1.0
    assert fall.stations[-1].accuracy < 1.0
    assert fall.num_samples == 80


def test_accuracy_is_the_share_of_labels_met():
    labels = labels_of_float()
    labels[:20] = (labels[:20] + 1) % 5
    fall = fall_of(load_system("ideal"), labels)
    assert fall.stations[0].accuracy == 0.75
    assert fall.stations[0].agreement == 1.0
    as_list = fall_of(load_system("ideal"), labels.tolist())
    assert as_list == fall


def test_without_labels_answers_are_compared_with_float():
    fall = fall_of(noisy_system(programming_error=1e-5))
    assert all(station.accuracy is None for station in fall.stations)
    assert fall.stations[0].agreement == 1.0 > fall.stations[-1].agreement
    assert "agreement with float" in fall.summary()


def test_ideal_chips_lose_nothing_after_quantisation():
    fall = fall_of(load_system("ideal"))
    assert len({station.snr_db for station in fall.stations[1:]}) == 1
    assert not fall.notes


@pytest.mark.parametrize(
    ("system", "names"),
    [
        (noisy_system(programming_error=1e-13, readout={"bits": 4}), ["programming_error"]),
        (noisy_system(read_noise=1e-13, readout={"bits": 4}), ["read_noise"]),
        (noisy_system(variation=1e-9, readout={"bits": 4}), ["variation"]),
        (noisy_system(stuck_low=1e-9, readout={"bits": 4}), ["stuck_low"]),
        (noisy_system(stuck_high=1e-9, readout={"bits": 4}), ["stuck_high"]),
        (noisy_system(readout={"bits": 4, "offset": 1e-9}), ["offset"]),
        (noisy_system(readout={"bits": 4, "gain_error": 1e-9}), ["gain_error"]),
        (noisy_system({"chip.core.macro.crossbar.wires": {"word_line": 1e-9}}, {"bits": 4}), ["wires"]),
        (noisy_system(read_noise=1e-13, variation=1e-9, readout={"bits": 4}), ["read_noise", "variation"]),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_a_nonideality_that_changed_nothing_is_told(system, names):
    """Programmed directly: pulses that miss within their tolerance would change answers on their own."""
    from crossloom.programming import DirectSet

    chips = program_graph(GRAPH, INPUTS, system, strategy=DirectSet())
    fall = waterfall(chips, run(chips, INPUTS))
    assert sorted(note.split()[0] for note in fall.notes) == names
    assert all("is switched on, but" in note for note in fall.notes)
    assert all(name in fall.summary() for name in names)


@pytest.mark.parametrize(
    "device", [{"programming_error": 5e-6}, {"read_noise": 5e-6}, {"variation": 0.2}, {"stuck_high": 0.1}, {}]
)
def test_nothing_is_told_of_what_did_something_or_was_off(device):
    assert not fall_of(noisy_system(**device)).notes


def test_a_spread_of_zero_is_not_called_switched_on():
    assert not fall_of(noisy_system(programming_error=0.0, read_noise=0.0)).notes


def test_notes_of_the_run_are_passed_on():
    placement = place_graph(GRAPH, INPUTS, load_system("ideal"))
    chips = attach(placement, SimulatedBackend(placement.system))
    assert any("not programmed" in note for note in waterfall(chips, run(chips, INPUTS)).notes)


def test_chips_that_cannot_be_quiet_have_one_station_less():
    system = noisy_system()
    chips = program(place_graph(GRAPH, INPUTS, system), MockBackend(system))
    fall = waterfall(chips, run(chips, INPUTS))
    assert [station.name for station in fall.stations] == [name for name in NAMES if name != "programmed"]


def test_a_model_that_fixes_its_batch_falls_like_any_other():
    nodes = tuple(type(node)(**{**vars(node), "shape": (8, *node.shape[1:])}) for node in GRAPH.nodes)
    fixed = Graph(nodes, GRAPH.outputs, True, GRAPH.tensors)
    system = noisy_system(read_noise=1e-6)
    falls = []
    for graph in (GRAPH, fixed):
        chips = program_graph(graph, INPUTS[:8], system)
        falls.append(waterfall(chips, run(chips, INPUTS)))
    assert [station.name for station in falls[0].stations] == [station.name for station in falls[1].stations]
    assert falls[1].stations[1].snr_db == pytest.approx(falls[0].stations[1].snr_db)


def test_the_first_of_several_outputs_is_compared():
    inputs = (normal(20, 4), normal(20, 5))
    chips = program_graph(diamond_graph(normal(3, 4), normal(3, 5)), inputs, load_system("ideal"))
    fall = waterfall(chips, run(chips, inputs))
    assert fall.stations[0].agreement == 1.0
    assert fall.stations[1].snr_db > 10


@pytest.mark.parametrize(
    "labels", [torch.zeros(79), torch.zeros(81), torch.zeros(80, 1), torch.zeros(80, 5), torch.tensor(1)]
)
def test_labels_that_are_not_one_for_each_sample_are_refused(labels):
    with pytest.raises(DataError, match="one label for each of 80 samples"):
        fall_of(load_system("ideal"), labels)


def test_the_waterfall_leaves_the_chips_as_they_were():
    system = noisy_system(programming_error=5e-6, read_noise=1e-6)
    chips = program_graph(GRAPH, INPUTS, system)
    result = run(chips, INPUTS)
    waterfall(chips, result)
    assert torch.equal(run(chips, INPUTS).outputs, result.outputs)


def test_the_first_chip_tells_of_its_read_noise_only_when_it_has_any():
    system = load_system("tsinghua_c200", {f"{MACRO}.readout.offset": None})
    assert not any("read_noise" in note for note in fall_of(system).notes)
