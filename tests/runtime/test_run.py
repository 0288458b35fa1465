"""Programmed chips answer: batch by batch, in any mode, with every action counted."""

from dataclasses import replace
from math import ceil

import pytest
import torch

from crossloom.backends import MockBackend, SimulatedBackend
from crossloom.errors import ConfigError, DataError, GraphError, RunError
from crossloom.graph import Graph, interpret
from crossloom.mapping import MappingConfig, SignMagnitude
from crossloom.programming import attach, program
from crossloom.quant import QuantConfig, interpret_integers
from crossloom.runtime import ActionCounts, LayerProbe, run, total
from crossloom.spec import BitSerial, MultiLevel, Pulse, load_system
from crossloom.windows import Window
from flows import MACRO, noisy_system, normal, place_graph, program_graph
from small_graphs import (
    attention_like_graph,
    chain_graph,
    convolution_graph,
    diamond_graph,
    linear_graph,
    token_graph,
)

IDEAL = load_system("ideal")
EVERYTHING = noisy_system(
    readout={"offset": 1.0, "gain_error": 0.05},
    programming_error=2e-6,
    read_noise=3e-6,
    variation=0.05,
    stuck_low=0.02,
    stuck_high=0.02,
)
CHAIN, CHAIN_INPUTS = chain_graph(normal(10, 20, seed=1), normal(4, 10, seed=2)), normal(70, 20)
IMAGES = normal(35, 3, 6, 6)
CONVOLUTION = convolution_graph(normal(4, 3, 3, 3), (6, 6), Window((3, 3), (1, 2), (1, 1), (1, 1)), 1)


def fixed_batch(graph: Graph, size: int) -> Graph:
    """The same graph, for batches of one size only."""
    nodes = [
        type(node)(**{**vars(node), "shape": (size, *node.shape[1:])}) if node.shape else node
        for node in graph.nodes
    ]
    return Graph(tuple(nodes), graph.outputs, graph.single_output, graph.tensors)


CASES = {
    "linear": (CHAIN, CHAIN_INPUTS),
    "convolution": (CONVOLUTION, IMAGES),
    "tokens": (
        token_graph(normal(9, 12), normal(4, 12)),
        torch.randint(0, 9, (40, 5), generator=torch.Generator().manual_seed(0)),
    ),
    "attention": (attention_like_graph(normal(8, 6), normal(3, 8), 5), normal(40, 5, 6)),
}


@pytest.mark.parametrize("mode", [MultiLevel(), BitSerial(), Pulse()], ids=lambda mode: mode.kind)
@pytest.mark.parametrize("case", CASES)
def test_answers_do_not_depend_on_the_size_of_batches(case, mode):
    """With everything switched on, read noise above all, and samples along any axis."""
    graph, inputs = CASES[case]
    inputs = inputs[:35]
    chips = program_graph(graph, inputs, EVERYTHING, MappingConfig(input_mode=mode))
    whole = run(chips, inputs, batch_size=len(inputs))
    assert not torch.equal(whole.outputs, run(chips, inputs, seed=1).outputs)
    for size in (5, 9, 32):
        parts = run(chips, inputs, batch_size=size)
        assert torch.equal(parts.outputs, whole.outputs)
        assert parts.counts == whole.counts
        assert parts.quality[0].signal_power == whole.quality[0].signal_power


@pytest.mark.parametrize("case", CASES)
def test_a_sample_meets_its_own_noise_whatever_runs_beside_it(case):
    graph, inputs = CASES[case]
    chips = program_graph(graph, inputs, EVERYTHING)
    both = run(chips, inputs).outputs
    changed = inputs.clone()
    changed[3:] = changed[3:].flip(0)
    assert torch.equal(run(chips, changed).outputs[:3], both[:3])


def test_equal_samples_meet_different_noise():
    inputs = CHAIN_INPUTS[:1].expand(50, -1)
    chips = program_graph(CHAIN, CHAIN_INPUTS, noisy_system(read_noise=1e-5))
    assert len(run(chips, inputs).outputs.unique(dim=0)) > 25


@pytest.mark.parametrize("name", ["first", "second", "swap", "split"])
def test_stopping_early_joins_batches_along_the_axis_of_samples(name):
    graph, inputs = CASES["attention"]
    chips = program_graph(graph, inputs, IDEAL)
    wanted = run(chips, inputs, batch_size=40, stop_at=name).outputs
    for size in (5, 13):
        assert torch.equal(run(chips, inputs, batch_size=size, stop_at=name).outputs, wanted)


def test_the_same_seed_gives_the_same_answers():
    chips = program_graph(CHAIN, CHAIN_INPUTS, EVERYTHING)
    assert torch.equal(run(chips, CHAIN_INPUTS, seed=5).outputs, run(chips, CHAIN_INPUTS, seed=5).outputs)


def test_running_does_not_wear_chips():
    chips = program_graph(CHAIN, CHAIN_INPUTS, EVERYTHING)
    before = chips.backend.to_state()
    run(chips, CHAIN_INPUTS)
    assert all(before.macros[key] is value for key, value in chips.backend.to_state().macros.items())


@pytest.mark.parametrize("case", CASES)
def test_every_mode_is_what_it_says(case):
    graph, inputs = CASES[case]
    chips = program_graph(graph, inputs, IDEAL)
    quantized = chips.placement.mapped.quantized
    assert torch.equal(run(chips, inputs, mode="float").outputs, interpret(graph, (inputs,))[0])
    exact = interpret_integers(quantized, (inputs,))[0]
    assert torch.equal(run(chips, inputs, mode="integer").outputs, exact)
    assert torch.equal(run(chips, inputs, mode="chip").outputs, exact)


def test_layers_can_run_in_modes_of_their_own():
    chips = program_graph(CHAIN, CHAIN_INPUTS, EVERYTHING)
    answers = {
        (first, second): run(chips, CHAIN_INPUTS, modes={"layer1": first, "layer2": second}, probe_samples=0)
        for first in ("chip", "integer", "float")
        for second in ("chip", "integer", "float")
    }
    outputs = [result.outputs for result in answers.values()]
    for number, answer in enumerate(outputs):
        assert not any(torch.equal(answer, other) for other in outputs[:number])
    for (first, second), result in answers.items():
        on_chip = {name for name, mode in (("layer1", first), ("layer2", second)) if mode == "chip"}
        assert set(result.counts) == on_chip
        assert result.modes == {"layer1": first, "layer2": second}


def test_a_layers_own_mode_comes_before_the_common_one():
    chips = program_graph(CHAIN, CHAIN_INPUTS, IDEAL)
    result = run(chips, CHAIN_INPUTS, mode="float", modes={"layer2": "chip"})
    assert result.modes == {"layer1": "float", "layer2": "chip"}


def test_digital_layers_run_in_integers():
    chips = program_graph(CHAIN, CHAIN_INPUTS, EVERYTHING, MappingConfig(digital=("layer1",)))
    result = run(chips, CHAIN_INPUTS)
    assert result.modes == {"layer1": "integer", "layer2": "chip"}
    assert not result.notes


def test_hooks_see_inputs_ideal_and_chip_outputs_batch_by_batch():
    chips, seen = program_graph(CHAIN, CHAIN_INPUTS, EVERYTHING), []
    result = run(chips, CHAIN_INPUTS, batch_size=32, hooks={"layer2": seen.append})
    assert [len(probe.inputs) for probe in seen] == [32, 32, 6]
    assert all(isinstance(probe, LayerProbe) and probe.layer == "layer2" for probe in seen)
    assert torch.equal(torch.cat([probe.chip for probe in seen]), result.outputs)
    layer = chips.placement.mapped.quantized.layers["layer2"]
    for probe in seen:
        codes = layer.quantize_input(probe.inputs).double()
        exact = (codes @ layer.weight.double().T).float() * (layer.weight_step * layer.input_step).float()
        assert torch.equal(probe.ideal, exact)
        assert not torch.equal(probe.ideal, probe.chip)


@pytest.mark.parametrize(
    ("width", "expected"), [(64, [256, 4]), (8192, [128, 128, 4]), (32768, [32] * 8 + [4])]
)
def test_left_to_itself_a_run_takes_fewer_samples_the_larger_they_are(width, expected):
    chips, seen = program_graph(linear_graph(normal(2, width)), normal(4, width), IDEAL), []
    run(chips, normal(260, width), probe_samples=0, hooks={"layer": seen.append})
    assert [len(probe.inputs) for probe in seen] == expected


def test_hooks_on_ideal_chips_see_no_error():
    chips, seen = program_graph(CHAIN, CHAIN_INPUTS, IDEAL), []
    run(chips, CHAIN_INPUTS, batch_size=64, hooks={"layer1": seen.append, "layer2": seen.append})
    assert len(seen) == 4
    assert all(torch.equal(probe.ideal, probe.chip) for probe in seen)


def test_an_error_in_a_hook_comes_through():
    chips = program_graph(CHAIN, CHAIN_INPUTS, IDEAL)

    def fail(probe):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        run(chips, CHAIN_INPUTS, hooks={"layer1": fail})


def test_a_run_can_stop_at_a_layer_or_a_node():
    chips = program_graph(CHAIN, CHAIN_INPUTS, IDEAL)
    first = run(chips, CHAIN_INPUTS, stop_at="layer1")
    assert first.outputs.shape == (70, 10)
    assert set(first.counts) == {"layer1"}
    assert torch.equal(run(chips, CHAIN_INPUTS, stop_at="relu1").outputs, first.outputs.relu())
    assert torch.equal(run(chips, CHAIN_INPUTS, stop_at="act1").outputs, first.outputs.relu())
    assert torch.equal(run(chips, CHAIN_INPUTS, stop_at="x").outputs, CHAIN_INPUTS)


def test_two_inputs_and_two_outputs():
    graph, inputs = diamond_graph(normal(3, 4), normal(3, 5)), (normal(70, 4), normal(70, 5, seed=1))
    chips = program_graph(graph, inputs, IDEAL)
    result = run(chips, inputs, batch_size=32)
    assert isinstance(result.outputs, tuple)
    assert [tuple(output.shape) for output in result.outputs] == [(70, 3), (70, 3)]
    for answer, exact in zip(
        result.outputs, interpret_integers(chips.placement.mapped.quantized, inputs), strict=True
    ):
        assert torch.equal(answer, exact)
    assert torch.equal(run(chips, list(inputs)).outputs[0], result.outputs[0])


def test_counts_are_those_of_a_hand_calculation():
    """10 samples, 20 inputs, 30 outputs; 16 x 16 cells: 2 x 4 tiles (8 outputs in pairs of columns), bit-serial."""
    system = load_system("ideal", {f"{MACRO}.crossbar.num_rows": 16, f"{MACRO}.crossbar.num_columns": 16})
    mapping = MappingConfig(input_mode=BitSerial())
    chips = program_graph(
        linear_graph(normal(30, 20)), normal(10, 20), system, mapping, QuantConfig(activation_bits=4)
    )
    assert len(chips.placement.mapped.tiles) == 8
    counts = run(chips, normal(10, 20), batch_size=3).counts["layer"]
    samples, cycles, chips_used = 10, 3, 1
    assert {site.address.chip for site in chips.placement.sites} == {0}
    assert counts == ActionCounts(
        num_mvms=samples * 8,
        num_cycles=samples * 8 * cycles,
        num_row_drives=samples * cycles * 4 * (16 + 4),
        num_conversions=samples * cycles * 2 * 30,
        bytes_in=samples * ceil(20 * 4 / 8) * chips_used,
        bytes_out=samples * 2 * 30 * 4,
    )


@pytest.mark.parametrize(
    ("mode", "is_dac_signed", "cycles"),
    [
        (MultiLevel(), True, 1),
        (MultiLevel(), False, 2),
        (BitSerial(), True, 3),
        (BitSerial(), False, 4),
        (Pulse(), True, 7),
        (Pulse(), False, 14),
        (BitSerial(bits_per_pulse=2), True, 2),
    ],
)
def test_cycles_are_counted_for_every_input_mode(mode, is_dac_signed, cycles):
    system = load_system("ideal", {f"{MACRO}.dac.is_signed": is_dac_signed})
    quant = QuantConfig(activation_bits=4, activations_are_signed=True)
    chips = program_graph(CONVOLUTION, IMAGES, system, MappingConfig(input_mode=mode), quant)
    counts = run(chips, IMAGES).total
    assert counts.num_mvms == 35 * 6 * 3
    assert counts.num_cycles == counts.num_mvms * cycles
    assert counts.num_conversions == counts.num_cycles * 4
    assert counts.num_row_drives == counts.num_cycles * 27


def test_slices_and_copies_are_counted():
    mapping = MappingConfig(slicing=SignMagnitude(bits_per_cell=1), copies=3, row_copies=2)
    chips = program_graph(linear_graph(normal(5, 6)), normal(10, 6), IDEAL, mapping)
    counts = run(chips, normal(10, 6)).total
    assert counts.num_mvms == 10 * 3
    assert counts.num_conversions == 10 * 3 * 5 * 3
    assert counts.num_row_drives == 10 * 3 * 6 * 2


def test_bytes_of_a_run_are_those_of_the_schedule_for_every_sample():
    for graph, inputs in CASES.values():
        chips = program_graph(graph, inputs, noisy_system())
        schedule, counts = chips.placement.schedule, run(chips, inputs, batch_size=20).total
        assert counts.bytes_in == len(inputs) * sum(step.bytes_in for step in schedule)
        assert counts.bytes_out == len(inputs) * sum(step.bytes_out for step in schedule)


def test_probing_counts_nothing():
    chips = program_graph(CHAIN, CHAIN_INPUTS, IDEAL)
    assert run(chips, CHAIN_INPUTS).counts == run(chips, CHAIN_INPUTS, probe_samples=0).counts


def test_counts_add_up():
    assert ActionCounts(1, 2, 3, 4, 5, 6) + ActionCounts(10, 20, 30, 40, 50, 60) == ActionCounts(
        11, 22, 33, 44, 55, 66
    )
    assert total([]) == ActionCounts()


def test_quality_is_that_of_the_first_samples():
    chips = program_graph(CHAIN, CHAIN_INPUTS, EVERYTHING)
    seen: list[LayerProbe] = []
    quality = run(chips, CHAIN_INPUTS, batch_size=16, hooks={"layer1": seen.append}).quality
    assert [entry.layer for entry in quality] == ["layer1", "layer2"]
    first = seen[0]
    error = (first.chip.double() - first.ideal.double()).square().mean().item()
    assert quality[0].error_power == pytest.approx(error)
    assert quality[0].signal_power == pytest.approx(first.ideal.double().square().mean().item())
    assert 0 < quality[0].snr_db < 40
    assert quality[0].code_counts.sum().item() == 16 * 10 * len(
        {
            chips.placement.mapped.tiles[number].input_start
            for number in chips.placement.mapped.tiles_of["layer1"]
        }
    )
    assert 0 <= quality[0].clipping_rate < 1
    assert 0 < quality[0].adc_use <= 1


def test_ideal_converters_have_no_codes_and_no_error():
    quality = run(program_graph(CHAIN, CHAIN_INPUTS, IDEAL), CHAIN_INPUTS).quality[0]
    assert (quality.error_power, quality.snr_db) == (0, None)
    assert (quality.clipping_rate, quality.adc_use) == (None, None)


def test_no_probe_no_quality():
    assert run(program_graph(CHAIN, CHAIN_INPUTS, IDEAL), CHAIN_INPUTS, probe_samples=0).quality == ()


def test_chips_that_nobody_programmed_say_so():
    placement = place_graph(CHAIN, CHAIN_INPUTS, IDEAL)
    result = run(attach(placement, SimulatedBackend(IDEAL)), CHAIN_INPUTS)
    assert any("not programmed" in note for note in result.notes)
    assert "not programmed" in result.summary()
    assert not run(program(placement, SimulatedBackend(IDEAL)), CHAIN_INPUTS).notes


def test_layers_that_did_not_run_on_the_chip_are_noted():
    chips = program_graph(CHAIN, CHAIN_INPUTS, IDEAL)
    (note,) = run(chips, CHAIN_INPUTS, modes={"layer1": "integer"}).notes
    assert "1 of 2" in note
    assert "layer1" in note


def test_a_model_that_fixes_its_batch_runs_in_batches_of_that_size():
    """Its digital operations take nothing else."""
    graph = fixed_batch(CHAIN, 5)
    nodes = [
        replace(node, operation="aten.view.default", args=(*node.args, (5, 10)))
        if node.name == "relu1"
        else node
        for node in graph.nodes
    ]
    graph = Graph(tuple(nodes), graph.outputs, True, graph.tensors)
    chips = program_graph(graph, CHAIN_INPUTS[:5], EVERYTHING)
    result = run(chips, CHAIN_INPUTS)
    assert result.outputs.shape == (70, 4)
    assert (
        result.total.num_mvms
        == run(program_graph(CHAIN, CHAIN_INPUTS[:5], EVERYTHING), CHAIN_INPUTS).total.num_mvms
    )
    assert len(result.quality) == 2
    assert torch.equal(run(chips, CHAIN_INPUTS, batch_size=5).outputs, result.outputs)
    for wrong in ({"batch_size": 7}, {"batch_size": 70}):
        with pytest.raises(RunError, match="fixes its batch at 5"):
            run(chips, CHAIN_INPUTS, **wrong)
    with pytest.raises(RunError, match="fixes its batch at 5"):
        run(chips, CHAIN_INPUTS[:68])


def test_what_has_no_samples_cannot_be_joined():
    graph, inputs = CASES["attention"]
    chips = program_graph(graph, inputs, IDEAL)
    with pytest.raises(RunError, match="no axis of samples"):
        run(chips, inputs, batch_size=8, stop_at="size")


@pytest.mark.parametrize(
    "inputs",
    [
        torch.zeros(3, 21),
        torch.zeros(0, 20),
        torch.zeros(20),
        torch.tensor(1.0),
        torch.zeros(3, 20, dtype=torch.float64),
        torch.zeros(3, 20, dtype=torch.int64),
        (torch.zeros(3, 20), torch.zeros(3, 20)),
        (),
        None,
        "images.npy",
        [[1.0] * 20],
        torch.zeros(3, 20).numpy(),
        torch.cat([torch.zeros(200, 20), torch.full((1, 20), float("nan"))]),
        torch.cat([torch.zeros(200, 20), torch.full((1, 20), float("inf"))]),
    ],
    ids=lambda value: str(getattr(value, "shape", value))[:30],
)
def test_inputs_that_do_not_fit_are_refused_before_any_call(inputs):
    mock = MockBackend(IDEAL)
    chips = program(place_graph(CHAIN, CHAIN_INPUTS, IDEAL), mock)
    before = mock.calls.total()
    with pytest.raises(DataError):
        run(chips, inputs)
    assert mock.calls.total() == before


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"batch_size": 0}, ConfigError, "batch_size >= 1, got 0"),
        ({"mode": "analog"}, RunError, "chip, integer or float, got 'analog'"),
        ({"modes": {"layer1": "analog"}}, RunError, "for layer1, got 'analog'"),
        ({"modes": {"layer3": "chip"}}, RunError, "no layer is called 'layer3'; did you mean layer"),
        ({"hooks": {"layer3": print}}, RunError, "no layer 'layer3' runs on the chip"),
        ({"hooks": {"layer1": print}, "modes": {"layer1": "float"}}, RunError, "'layer1' runs on the chip"),
        ({"stop_at": "layer3"}, GraphError, "no node or layer 'layer3'"),
    ],
)
def test_impossible_runs_are_refused_before_any_call(choices, error, message):
    mock = MockBackend(IDEAL)
    chips = program(place_graph(CHAIN, CHAIN_INPUTS, IDEAL), mock)
    before = mock.calls.total()
    with pytest.raises(error, match=message):
        run(chips, CHAIN_INPUTS, **choices)
    assert mock.calls.total() == before


def test_inputs_of_different_lengths_are_refused():
    chips = program_graph(diamond_graph(normal(3, 4), normal(3, 5)), (normal(6, 4), normal(6, 5)), IDEAL)
    with pytest.raises(DataError, match=r"same number of samples, got \[3, 4\]"):
        run(chips, (normal(3, 4), normal(4, 5)))


def test_a_single_sample_of_a_single_weight_runs():
    chips = program_graph(linear_graph(torch.tensor([[2.0]])), torch.tensor([[1.0]]), IDEAL)
    torch.testing.assert_close(
        run(chips, torch.tensor([[1.0]])).outputs, torch.tensor([[2.0]]), rtol=0.2, atol=0
    )


def test_copies_are_averaged_and_row_copies_too():
    """Four copies of either kind halve the error of programming."""
    graph, inputs = linear_graph(normal(30, 40)), normal(40, 40)
    system = noisy_system({f"{MACRO}.crossbar.num_rows": 256, f"{MACRO}.readout": {}}, programming_error=3e-6)
    exact = run(program_graph(graph, inputs, IDEAL), inputs).outputs
    errors = {}
    for name in ("none", "copies", "row_copies"):
        mapping = MappingConfig(**({} if name == "none" else {name: 4}))
        chips = program_graph(graph, inputs, system, mapping)
        errors[name] = (run(chips, inputs).outputs - exact).square().mean().sqrt().item()
    assert errors["copies"] == pytest.approx(errors["none"] / 2, rel=0.2)
    assert errors["row_copies"] == pytest.approx(errors["none"] / 2, rel=0.2)


def test_a_placement_that_was_never_programmed_is_not_run():
    chips = program_graph(chain_graph(normal(4, 6)), normal(3, 6), load_system("ideal"))
    with pytest.raises(RunError, match="program them first"):
        run(chips.placement, normal(3, 6))
