"""Estimates before a run and accounts of a run agree on what is done, whatever was mapped and how."""

from itertools import product

import pytest
import torch
from small_costs_of_parts import round_table

from crossloom.backends import SimulatedBackend
from crossloom.cost import account, estimate
from crossloom.graph import Digital, Graph, Input, Matrix, NodeRef
from crossloom.mapping import LayerMappingConfig, MappingConfig, OffsetColumn, SignMagnitude
from crossloom.placement import Placement
from crossloom.programming import program
from crossloom.quant import QuantConfig
from crossloom.runtime import count_layer, run
from crossloom.spec import BitSerial, MultiLevel, SystemSpec, load_system
from crossloom.windows import Window
from flows import MACRO, normal, place_graph
from small_graphs import (
    attention_like_graph,
    chain_graph,
    convolution_graph,
    diamond_graph,
    linear_graph,
    token_graph,
)

WINDOW = Window((3, 3), (2, 1), (1, 1), (1, 1))
CASES: dict[str, tuple[Graph, object]] = {
    "linear": (linear_graph(normal(5, 40)), normal(6, 40)),
    "convolution": (convolution_graph(normal(6, 4, 3, 3), (7, 6), WINDOW, 1), normal(3, 4, 7, 6)),
    "groups": (convolution_graph(normal(6, 2, 3, 3), (7, 6), WINDOW, 3), normal(3, 6, 7, 6)),
    "chain": (chain_graph(normal(20, 30), normal(8, 20, seed=1)), normal(5, 30)),
    "diamond": (diamond_graph(normal(4, 8), normal(4, 9, seed=1)), (normal(5, 8), normal(5, 9))),
    "tokens": (token_graph(normal(7, 6), normal(3, 6)), torch.randint(0, 7, (4, 5))),
    "attention": (attention_like_graph(normal(6, 8), normal(4, 6, seed=1), 5), normal(4, 5, 8)),
}
MAPPINGS = {
    "usual": MappingConfig(),
    "copies": MappingConfig(copies=3),
    "row copies": MappingConfig(row_copies=2),
    "slices": MappingConfig(slicing=SignMagnitude(bits_per_cell=1)),
    "offset": MappingConfig(encoding=OffsetColumn()),
}


def exact_system(**overrides) -> SystemSpec:
    """Small macros, so that matrices are split; no error at all."""
    return load_system(
        "ideal",
        {
            f"{MACRO}.crossbar.num_rows": 32,
            f"{MACRO}.crossbar.num_columns": 24,
            f"{MACRO}.input_modes": [{"kind": "bit_serial"}, {"kind": "pulse"}, {"kind": "multi_level"}],
            f"{MACRO}.readout": {"columns_per_adc": 4},
            **overrides,
        },
    )


def placed(case: str, mapping: str, system: SystemSpec | None = None) -> tuple[Placement, object]:
    graph, inputs = CASES[case]
    return place_graph(graph, inputs, system or exact_system(), MAPPINGS[mapping]), inputs


def counts_of(report) -> dict:
    return {(part.layer, part.component): part.count for part in report.parts}


@pytest.mark.parametrize(("case", "mapping"), product(CASES, MAPPINGS))
def test_an_estimate_counts_what_a_run_counts(case, mapping):
    placement, inputs = placed(case, mapping)
    system = placement.system
    result = run(program(placement, SimulatedBackend(system)), inputs)
    chips = program(placement, SimulatedBackend(system))
    expected, counted = estimate(placement, round_table(), inputs), account(chips, result, round_table())
    assert counts_of(expected) == counts_of(counted)  # activity too: these chips make no error
    assert expected.spans == counted.spans
    vectors = {
        name: counts.num_mvms // len(placement.mapped.tiles_of[name])
        for name, counts in result.counts.items()
    }
    for name, counts in result.counts.items():
        assert counts == count_layer(placement, name, vectors[name], len(result.inputs[0]))


@pytest.mark.parametrize("case", CASES)
def test_without_inputs_the_counts_are_the_same(case):
    placement, inputs = placed(case, "usual")
    rough, exact = estimate(placement, round_table()), estimate(placement, round_table(), inputs)
    by_inputs = ("cells", "dac")  # how many rows are driven is expected, not counted
    for key, count in counts_of(exact).items():
        if key[1] not in by_inputs:
            assert counts_of(rough)[key] == count
    assert rough.spans == exact.spans
    assert any("normally distributed" in note for note in rough.notes)


def test_expected_activity_is_near_that_of_inputs_of_such_a_distribution():
    # 400 vectors of 40 normal numbers, 8-bit codes: expected cell energy within 3 % (standard error of a mean of 16,000
    # values is below 1 %)
    inputs = normal(400, 40, seed=5)
    quant = QuantConfig(weight_bits=4, activation_bits=8, activations_are_signed=True)
    placement = place_graph(CASES["linear"][0], inputs, exact_system(), None, quant)
    cells = [
        sum(part.energy for part in report.parts if part.component == "cells")
        for report in (estimate(placement, round_table()), estimate(placement, round_table(), inputs))
    ]
    assert cells[0] == pytest.approx(cells[1], rel=0.03)


@pytest.mark.parametrize("is_signed", [True, False])
def test_behind_a_rectifier_half_of_the_codes_are_expected_to_be_zero(is_signed):
    # 400 normal vectors through 40 by 40 normal weights and a rectifier, 4-bit codes: within 10 % in the second layer,
    # which sees 16,000 values (standard error of their mean below 1 %; the rest is what the highest code cuts off)
    inputs = normal(400, 40, seed=5)
    quant = QuantConfig(weight_bits=4, activation_bits=4, activations_are_signed=is_signed)
    placement = place_graph(
        chain_graph(normal(40, 40), normal(5, 40, seed=1)), inputs, exact_system(), None, quant
    )
    expected, measured = (
        {part.component: part.count for part in report.parts if part.layer == "layer2"}
        for report in (estimate(placement, round_table()), estimate(placement, round_table(), inputs))
    )
    for component in ("cells", "dac"):
        assert expected[component] == pytest.approx(measured[component], rel=0.1)


def test_counts_agree_on_chips_that_err_up_to_the_rows_that_are_driven():
    system = load_system("tsinghua_c200")
    placement, inputs = placed("chain", "usual", system)
    chips = program(placement, SimulatedBackend(system, 1))
    counted, expected = account(chips, run(chips, inputs)), estimate(placement, None, inputs)
    driven = {("layer2", "cells"), ("layer2", "dac")}  # the second layer's inputs come from chips that err
    differing = {key for key, count in counts_of(counted).items() if counts_of(expected)[key] != count}
    assert differing <= driven


def test_a_layer_that_ran_digitally_costs_the_digital_unit():
    placement, inputs = placed("chain", "usual")
    chips = program(placement, SimulatedBackend(placement.system))
    report = account(chips, run(chips, inputs, modes={"layer2": "integer"}), round_table())
    counts = {part.component: part.count for part in report.parts if part.layer == "layer2"}
    assert counts == {"digital": 2 * 8 * 20}


def test_a_layer_that_stays_digital_costs_two_operations_a_multiplication():
    graph, inputs = CASES["chain"]
    placement = place_graph(graph, inputs, exact_system(), MappingConfig(digital=("layer1",)))
    report = estimate(placement, round_table(), inputs)
    counts = {part.component: part.count for part in report.parts if part.layer == "layer1"}
    assert counts == {"digital": 2 * 20 * 30 + 20}  # and the relu behind it, one a value
    assert report.num_operations == 2 * (20 * 30 + 8 * 20)


def test_copies_that_take_turns_share_time_and_energy():
    placement, inputs = placed("linear", "copies")
    averaged = estimate(placement, round_table(), inputs)
    shared = estimate(placement, round_table(), inputs, copies_take_turns=True)
    mvms = [
        next(part.count for part in report.parts if part.component == "adc") for report in (averaged, shared)
    ]
    assert mvms[1] == pytest.approx(mvms[0] / 3)
    assert shared.latency < averaged.latency


@pytest.mark.parametrize(
    "mode", [BitSerial(bits_per_pulse=2), MultiLevel()], ids=["two bits a pulse", "multi-level"]
)
def test_drivers_of_several_levels_count_the_squares_of_their_steps(mode):
    # the slow way: V² g t for every vector, cycle and cell of a layer in one tile
    from crossloom.circuits import expand
    from crossloom.hardware import DenseCodes
    from crossloom.runtime import input_format

    graph, inputs = linear_graph(normal(5, 12)), normal(7, 12, seed=2)
    system = exact_system(**{f"{MACRO}.dac": {"is_signed": True, "read_voltage": 0.01, "cycle_time": 1e-7}})
    placement = place_graph(graph, inputs, system, MappingConfig(input_mode=mode))
    mapped = placement.mapped
    layer, (tile,) = mapped.quantized.layers["layer"], mapped.tiles
    codes = DenseCodes(layer.quantize_input(inputs), 7)
    cycles = expand(codes, input_format(placement, "layer"), system.macro.dac).codes.values.double()
    energy = (
        (0.01 * cycles).square().unsqueeze(2) * mapped.targets(tile).unsqueeze(0) * 1e-7
    ).sum().item() / 7
    found = estimate(placement, round_table(), inputs)
    assert sum(part.energy for part in found.parts if part.component == "cells") == pytest.approx(energy)


def test_layers_of_their_own_settings_are_counted_with_them():
    graph, inputs = CASES["chain"]
    mapping = MappingConfig(layers={"layer2": LayerMappingConfig(input_mode="pulse", copies=2)})
    placement = place_graph(graph, inputs, exact_system(), mapping)
    chips = program(placement, SimulatedBackend(placement.system))
    assert counts_of(account(chips, run(chips, inputs), round_table())) == counts_of(
        estimate(placement, round_table(), inputs)
    )


def test_products_of_the_digital_unit_are_operations_too():
    square = (None, 4, 4)
    nodes = (
        Input("x", square, "float32"),
        Digital("mix", "aten.matmul.default", (NodeRef("x"), NodeRef("x")), (), "", square),
        Matrix("layer", "mix", "w", None, None, 1, None, "layer", (None, 4, 3)),
    )
    placement = place_graph(
        Graph(nodes, ("layer",), True, {"w": normal(3, 4)}), normal(5, 4, 4), exact_system()
    )
    report = estimate(placement, round_table())
    # 4 by 4 by 4 between activations, then 4 vectors of 4 inputs and 3 outputs in memory
    assert report.num_operations == 2 * (4**3 + 4 * 4 * 3)
    counts = {part.layer: part.count for part in report.parts if part.component == "digital"}
    assert counts[""] == 2 * 4**3
