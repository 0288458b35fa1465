"""The slow, obvious twin of crossbars with wires: Kirchhoff's laws at every node, as one sparse system.

Resistances of zero make two nodes one, infinite ones are left out. Needs scipy, which the extra `dev` brings.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from math import isinf
from typing import Any

import numpy as np

from crossloom.errors import ConvergenceError, MissingDependencyError
from crossloom.spec import Wires

Current = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
_MOST_STEPS = 200
_MOST_HALVINGS = 40


@dataclass(frozen=True)
class NodalSolution:
    """currents: A, of bit lines, [vector, column].  word_line, bit_line: V at cells, cell_current: A, all
    [vector, row, column]."""

    currents: np.ndarray
    word_line: np.ndarray
    bit_line: np.ndarray
    cell_current: np.ndarray


def solve_nodal(
    conductance: np.ndarray,
    wires: Wires,
    voltages: np.ndarray,
    current: Current | None = None,
    bit_lines: np.ndarray | None = None,
    floating_rows: tuple[int, ...] = (),
    floating_columns: tuple[int, ...] = (),
) -> NodalSolution:
    """Solve a crossbar of conductances (S, [row, column]) for voltages (V, [vector, row]), all in float64.

    current: of cells, `current(conductance, voltage) -> (current, slope)`; None for ohmic cells.
    bit_lines: V behind the sensing ends, [vector, column]; None for 0 V.  floating_rows, floating_columns: lines
    of which no end is connected.
    """
    conductance = np.asarray(conductance, dtype=float)
    if bit_lines is None:
        bit_lines = np.zeros((len(voltages), conductance.shape[1]))
    circuit = _Circuit.of(conductance.shape, wires, floating_rows, floating_columns)
    fixed = np.concatenate([voltages, bit_lines], axis=1)
    solver = _linear(circuit, conductance) if current is None else _nonlinear(circuit, conductance, current)
    potentials = np.stack([solver(vector) for vector in fixed])
    word_line, bit_line = (
        potentials[:, circuit.nodes[side]].reshape(len(fixed), *conductance.shape) for side in (0, 1)
    )
    voltage = word_line - bit_line
    cell_current = conductance * voltage if current is None else current(conductance, voltage)[0]
    return NodalSolution(cell_current.sum(1), word_line, bit_line, cell_current)


@dataclass
class _Circuit:
    """Nodes 0 ... num_fixed - 1 are given: those of the drivers, then those of the sensing ends.

    nodes: of word lines and of bit lines at every cell, [2, cell].  edges: two nodes and a resistance each.
    """

    num_fixed: int
    nodes: np.ndarray
    num_nodes: int
    edges: list[tuple[int, int, float]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        shape: tuple[int, ...],
        wires: Wires,
        floating_rows: tuple[int, ...],
        floating_columns: tuple[int, ...],
    ) -> "_Circuit":
        num_rows, num_columns = shape
        num_fixed, cells = num_rows + num_columns, num_rows * num_columns
        word = num_fixed + np.arange(cells).reshape(shape)
        bit = word + cells
        edges: list[tuple[int, int, float]] = []
        for row in range(num_rows):
            ends = (wires.driver, wires.far_driver) if row not in floating_rows else (None, None)
            edges += _line(row, list(word[row]), wires.word_line, ends)
        for column in range(num_columns):
            ends = (wires.sense, wires.far_sense) if column not in floating_columns else (None, None)
            edges += _line(num_rows + column, list(bit[::-1, column]), wires.bit_line, ends)
        edges = [edge for edge in edges if not isinf(edge[2])]
        count = num_fixed + 2 * cells
        names = _merged(count, [edge for edge in edges if edge[2] == 0], num_fixed)
        nodes = names[np.stack([word.ravel(), bit.ravel()])]
        joined = [(int(names[a]), int(names[b]), value) for a, b, value in edges if names[a] != names[b]]
        return cls(num_fixed, nodes, int(names.max()) + 1, joined)

    def laplacian(self, cells: np.ndarray) -> Any:
        """Of wires and cells of these conductances, [cell]: sparse, [node, node]."""
        ends = np.array([edge[:2] for edge in self.edges], dtype=int).reshape(-1, 2)
        resistance = np.array([edge[2] for edge in self.edges])
        a, b = np.concatenate([ends[:, 0], self.nodes[0]]), np.concatenate([ends[:, 1], self.nodes[1]])
        g = np.concatenate([1 / resistance, cells])
        rows, columns = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
        shape = (self.num_nodes, self.num_nodes)
        matrix = _scipy("sparse").coo_array((np.concatenate([g, g, -g, -g]), (rows, columns)), shape=shape)
        return matrix.tocsc()

    def ties(self, cells: np.ndarray) -> Any:
        """One siemens to 0 V at one node of every part that nothing given reaches: no current flows in it."""
        graph = self.laplacian(cells)
        graph.eliminate_zeros()
        _, parts = _scipy("sparse.csgraph").connected_components(graph, directed=False)
        reached = set(parts[: self.num_fixed])
        names, where = np.unique(parts, return_index=True)
        values = np.zeros(self.num_nodes)
        values[[place for name, place in zip(names, where, strict=True) if name not in reached]] = 1.0
        return _scipy("sparse").diags_array(values, format="csc")


def _line(
    fixed: int, nodes: list[int], segment: float, ends: tuple[float | None, float | None]
) -> list[tuple[int, int, float]]:
    edges = [(a, b, segment) for a, b in pairwise(nodes)]
    for node, resistance in zip((nodes[0], nodes[-1]), ends, strict=True):
        if resistance is not None:
            edges.append((fixed, node, resistance + segment))
    return edges


def _merged(count: int, ties: list[tuple[int, int, float]], num_fixed: int) -> np.ndarray:
    """New numbers of all nodes, those given first, and tied ones sharing one."""
    sparse, graphs = _scipy("sparse"), _scipy("sparse.csgraph")
    pairs = np.array([(a, b) for a, b, _ in ties], dtype=int).reshape(-1, 2)
    graph = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, parts = graphs.connected_components(graph, directed=False)
    _, first, names = np.unique(parts, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))
    assert (order[names][:num_fixed] == np.arange(num_fixed)).all()
    return order[names]


def _linear(circuit: _Circuit, conductance: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    matrix = circuit.laplacian(conductance.ravel()) + circuit.ties(conductance.ravel())
    number = circuit.num_fixed
    inner, outer = matrix[number:, number:].tocsc(), matrix[number:, :number]
    factors = _scipy("sparse.linalg").splu(inner) if inner.shape[0] else None

    def solve(fixed: np.ndarray) -> np.ndarray:
        if factors is None:
            return fixed
        right = -(outer @ fixed)
        free = factors.solve(right)
        free = free + factors.solve(right - inner @ free)  # one refinement
        return np.concatenate([fixed, free])

    return solve


def _nonlinear(
    circuit: _Circuit, conductance: np.ndarray, current: Current
) -> Callable[[np.ndarray], np.ndarray]:
    """Newton's method on all node voltages; steps are halved until the excess currents shrink."""
    number, cells = circuit.num_fixed, conductance.ravel()
    ties = circuit.ties(cells)
    wires = circuit.laplacian(np.zeros_like(cells)) + ties
    start = _linear(circuit, conductance)

    def excess(potentials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flowing, slope = current(cells, potentials[circuit.nodes[0]] - potentials[circuit.nodes[1]])
        total = wires @ potentials
        np.add.at(total, circuit.nodes[0], flowing)
        np.add.at(total, circuit.nodes[1], -flowing)
        return total[number:], slope

    def solve(fixed: np.ndarray) -> np.ndarray:
        potentials, largest = start(fixed), np.inf
        for _ in range(_MOST_STEPS):
            left, slope = excess(potentials)
            size = np.abs(left).max(initial=0.0)
            if size >= largest or size == 0:  # as far as rounding lets it
                return potentials
            largest = size
            inner = (circuit.laplacian(slope) + ties)[number:, number:].tocsc()
            step = np.concatenate([fixed * 0, -_scipy("sparse.linalg").splu(inner).solve(left)])
            for _ in range(_MOST_HALVINGS):
                if np.abs(excess(potentials + step)[0]).max() < size:
                    break
                step = step / 2
            potentials = potentials + step
        raise ConvergenceError(f"nodal twin: {largest:.1e} A are left over after {_MOST_STEPS} steps")

    return solve


def _scipy(name: str) -> Any:
    try:
        return import_module(f"scipy.{name}")
    except ModuleNotFoundError:
        raise MissingDependencyError(
            "the nodal twin needs scipy; install it with: pip install 'crossloom[dev]'"
        ) from None
