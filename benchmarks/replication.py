"""Small random pipelines, and the best replicas and macros that CP-SAT finds for them. See `placement.py`."""

import random
from collections.abc import Mapping

import torch
from ortools.sat.python import cp_model

from crossloom.graph import Graph, Input, Matrix
from crossloom.mapping import MappedGraph, MappingConfig, map_graph, vectors_per_sample
from crossloom.placement import Times
from crossloom.quant import QuantConfig, quantize
from crossloom.spec import SystemSpec, load_system

SIDE = 16
EFFORT = 15.0
"""Deterministic seconds for each pipeline."""


def pipeline(draw: random.Random) -> tuple[MappedGraph, SystemSpec, Times]:
    """Two to four layers of one or two tiles, with 2 to 12 vectors each, on 4 to 7 macros; whole numbers as times."""
    macro = "chip.core.macro.crossbar"
    system = load_system(
        "ideal",
        {
            "num_chips": draw.randint(4, 7),
            "chip.num_cores": 1,
            "chip.core.num_macros": 1,
            f"{macro}.num_rows": SIDE,
            f"{macro}.num_columns": SIDE,
        },
    )
    nodes: list = []
    tensors, names = {}, []
    generator = torch.Generator().manual_seed(draw.randint(0, 2**31))
    samples = []
    for number in range(draw.randint(2, 4)):
        inputs, outputs, vectors = draw.randint(3, 16), draw.randint(2, 12), draw.randint(2, 12)
        name = f"layer{number}"
        nodes.insert(number, Input(f"x{number}", (None, vectors, inputs), "float32"))
        shape = (None, vectors, outputs)
        nodes.append(Matrix(name, f"x{number}", f"w{number}", None, None, 1, None, name, shape))
        tensors[f"w{number}"] = torch.randn(outputs, inputs, generator=generator)
        samples.append(torch.randn(2, vectors, inputs, generator=generator))
        names.append(name)
    graph = Graph(tuple(nodes), tuple(names), False, tensors)
    quantized = quantize(graph, QuantConfig(weight_bits=4, activation_bits=4), [tuple(samples)])
    mapped = map_graph(quantized, MappingConfig(), system.macro)
    times = {}
    for layer, tiles in mapped.tiles_of.items():
        time = draw.randint(5, 40)
        times[layer] = (float(time),) * len(tiles)
    return mapped, system, times


def best_by_solver(
    mapped: MappedGraph, system: SystemSpec, times: Times, known: float
) -> tuple[float, float]:
    """The time of the busiest macro in the best answer that CP-SAT finds, and what it proves that none can beat.

    `known` is that of an answer that is known already, which the solver need not beat: it is returned when it does not.
    """
    model = cp_model.CpModel()
    most = system.num_macros
    slowest = model.new_int_var(0, round(known), "slowest")
    loads: list[list] = [[] for _ in range(most)]
    down, along = [], []
    vectors = vectors_per_sample(mapped.quantized.graph)
    for layer, tiles in mapped.tiles_of.items():
        highest = min(vectors[layer], most)
        numbers = {number: model.new_bool_var("") for number in range(1, highest + 1)}
        model.add_exactly_one(numbers.values())
        for place, tile in enumerate(tiles):
            apart: list[list] = [[] for _ in range(most)]
            for replica in range(highest):
                there = model.new_bool_var("")
                model.add(there == sum(chosen for number, chosen in numbers.items() if number > replica))
                shape = mapped.tiles[tile].num_rows, mapped.tiles[tile].num_columns
                on = _lay(model, shape, there, most, down, along)
                for macro in range(most):
                    apart[macro].append(on[macro])
                    for number, chosen in numbers.items():
                        share = vectors[layer] // number + (replica < vectors[layer] % number)
                        if replica < number:
                            both = model.new_bool_var("")
                            model.add_implication(both, chosen)
                            model.add_bool_or([both, on[macro].negated(), chosen.negated()])
                            loads[macro].append(both * round(share * times[layer][place]))
            for found in apart:
                model.add_at_most_one(found)
    for load in loads:
        model.add(slowest >= sum(load))
    model.add_no_overlap_2d(down, along)
    model.minimize(slowest)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = EFFORT
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return known, max(solver.best_objective_bound, 1.0)
    return solver.objective_value, max(solver.best_objective_bound, 1.0)


def _lay(model, shape: tuple[int, int], there, most: int, down: list, along: list) -> Mapping[int, object]:
    """A tile on one of the macros, which stand side by side, if it is `there`: on which, one bool for each."""
    height, width = shape
    within = [[n * SIDE, (n + 1) * SIDE - width] for n in range(most)]
    row = model.new_int_var(0, SIDE - height, "")
    column = model.new_int_var_from_domain(cp_model.Domain.from_intervals(within), "")
    down.append(model.new_optional_fixed_size_interval_var(row, height, there, ""))
    along.append(model.new_optional_fixed_size_interval_var(column, width, there, ""))
    on = {macro: model.new_bool_var("") for macro in range(most)}
    model.add(sum(on.values()) == there)
    for macro, chosen in on.items():
        model.add(column >= macro * SIDE).only_enforce_if(chosen)
        model.add(column < (macro + 1) * SIDE).only_enforce_if(chosen)
    return on
