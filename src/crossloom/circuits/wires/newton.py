"""Crossbars of cells that are not ohmic, or that are gated off row by row: solved to a stated residual.

All vectors first go downhill together, with one elimination for all (see `walks`); what that does not settle is
solved by Newton's method, one elimination a vector and step.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch

from crossloom.circuits.curves import Curve, Ohmic
from crossloom.circuits.wires.bias import Bias
from crossloom.circuits.wires.ladder import is_ladder, solve_ladders
from crossloom.circuits.wires.network import Network
from crossloom.circuits.wires.points import Point
from crossloom.circuits.wires.problem import Problem
from crossloom.circuits.wires.segments import Segments
from crossloom.circuits.wires.walks import Arrivals, Walk, walk_alone, walk_together
from crossloom.errors import ConfigError, ConvergenceError

TOLERANCE = 1e-10
_MOST_TOGETHER = (8, 24)  # steps with one network, and with a second one, at where that has led
_MOST_ALONE = 100
_CELLS_TOGETHER = 2**21  # cells times vectors at a time: about 1.5 GB
CELLS_ALONE = 2**18


@dataclass(frozen=True)
class Solution:
    """What flows in a crossbar.

    currents: A, into the sensing ends, [vector, column].  voltage, cell_current: V across every cell and A
    through it, from word line to bit line, [vector, row, column].  residual: of every vector, by how much the
    currents that cells carry at `voltage` differ from those that the wires bring there: the largest sum over a
    bit line of the magnitude of the difference, relative to the largest sum over a bit line of the magnitude of
    the cells' currents.  power: W, that all sources give together, [vector].  num_steps: sweeps through the
    network until then, of every vector; 0 where none was needed.
    word_line, bit_line: V at the cells, [vector, row, column]; None unless asked for.
    """

    currents: torch.Tensor
    voltage: torch.Tensor
    cell_current: torch.Tensor
    residual: torch.Tensor
    power: torch.Tensor
    num_steps: torch.Tensor
    word_line: torch.Tensor | None = None
    bit_line: torch.Tensor | None = None


def solve(
    curve: Curve,
    conductance: torch.Tensor,
    ends: Segments,
    voltages: torch.Tensor | Bias,
    active: torch.Tensor | None = None,
    tolerance: float = TOLERANCE,
    with_nodes: bool = False,
) -> Solution:
    """Currents of a crossbar with wires for many vectors of voltages, in float64.

    Args:
        curve: of the cells; their currents must not fall as voltages rise.
        conductance: S, [row, column].
        voltages: V, [vector, row], or all that is done to the lines.
        active: rows whose cells are not cut off, [vector, row]; None for all (or for what a `Bias` says).
        tolerance: the largest residual that is accepted, see `Solution`.
        with_nodes: whether to give voltages of all nodes too, for one more sweep.

    There are no gradients here; see `differentiable_currents`.

    Raises ConfigError for what is no crossbar or does not fit it, and ConvergenceError, naming a vector, when a
    residual stays above `tolerance`.
    """
    if not tolerance > 0:
        raise ConfigError(f"tolerance: need a number above 0, got {tolerance}")
    bias = voltages if isinstance(voltages, Bias) else Bias(voltages, active=active)
    with torch.no_grad():
        problem = Problem.checked(curve, conductance, ends, bias)
        parts = [
            _solve(problem.only(vectors), tolerance, with_nodes, vectors.start)
            for vectors in chunks(bias.num_vectors, conductance.numel(), _CELLS_TOGETHER)
        ]
    return _joined(parts)


def _solve(problem: Problem, tolerance: float, with_nodes: bool, first: int) -> Solution:
    """first: the number of the first vector, for errors."""
    if not problem.ends.is_connected:
        return _cut_off(problem)
    if not problem.has_wires:
        return _without_wires(problem)
    if isinstance(problem.curve, Ohmic) and is_ladder(problem.ends) and not problem.bias.is_floating:
        return _as_ladders(problem, problem.curve)
    arrivals, rest = _walk(problem, tolerance)
    if len(rest):
        raise ConvergenceError(_complaint(arrivals, rest, first))
    return _solution(problem, arrivals, _nodes(problem, arrivals) if with_nodes else None)


def _walk(problem: Problem, tolerance: float) -> tuple[Arrivals, torch.Tensor]:
    """Where vectors arrive, and the numbers of those that do not."""
    cells, ends, bias = problem.cells, problem.ends, problem.bias
    network, walk = _start(problem)
    arrivals = Arrivals.of(walk.point.voltage, tolerance)
    walk = walk_together(cells, network, walk, arrivals, _MOST_TOGETHER[0])
    if len(walk.vectors):
        numbers = walk.vectors
        network = Network(walk.point.slope.mean(-1, keepdim=True), ends, bias.only(numbers))
        walk = walk_together(
            cells.only(numbers), network, Walk(numbers, walk.point), arrivals, _MOST_TOGETHER[1]
        )
    rest = [walk.vectors[:0]]
    for part in chunks(len(walk.vectors), problem.conductance.numel(), CELLS_ALONE):
        alone = Walk(walk.vectors[part], walk.point.only(part))
        numbers = alone.vectors
        alone = walk_alone(cells.only(numbers), ends, bias.only(numbers), alone, arrivals, _MOST_ALONE)
        rest.append(alone.vectors)
    return arrivals, torch.cat(rest)


def _start(problem: Problem) -> tuple[Network, Walk]:
    """A network of the cells' mean slopes where no voltage is lost, and what flows in it."""
    cells, (rows, columns) = problem.cells, problem.given
    voltage = (rows - columns).expand(-1, problem.conductance.shape[1], -1)
    current, slope = cells.current(voltage)
    shared = slope.expand_as(current).mean(-1, keepdim=True)
    network = Network(shared, problem.ends, problem.bias)
    states = network.solve(problem.bias, current - shared * voltage)
    vectors = torch.arange(problem.bias.num_vectors, device=voltage.device)
    return network, Walk(vectors, Point.at(cells, states.voltage, states.current))


def _nodes(problem: Problem, arrivals: Arrivals) -> tuple[torch.Tensor, torch.Tensor]:
    """Voltages along word lines and bit lines, [row, column, vector]."""
    _, slope = problem.cells.current(arrivals.voltage)
    shared = slope.expand_as(arrivals.voltage).mean(-1, keepdim=True)
    extra = arrivals.current - shared * arrivals.voltage
    states = Network(shared, problem.ends, problem.bias).solve(problem.bias, extra)
    return states.word_line, states.bit_line


def _without_wires(problem: Problem) -> Solution:
    rows, columns = problem.given
    voltage = (rows - columns).expand(-1, problem.conductance.shape[1], -1)
    current, _ = problem.cells.current(voltage)
    nodes = rows.expand_as(voltage), columns.expand_as(voltage)
    return _solution(problem, Arrivals.exact(voltage, current), nodes)


def _cut_off(problem: Problem) -> Solution:
    """Wires of infinite resistance: nothing flows, and both sides of a cell are at one voltage."""
    rows, columns = problem.given
    whole = (rows + columns) * 0
    nodes = whole + (rows if problem.ends.behind[0] == torch.inf else columns)
    return _solution(problem, Arrivals.exact(whole, whole), (nodes, nodes))


def _as_ladders(problem: Problem, curve: Ohmic) -> Solution:
    rows, columns = problem.given
    cells = problem.cells
    conductance = curve.static(cells.conductance)
    conductance = conductance if cells.active is None else conductance * cells.active
    axes = [axis + 2 for axis in problem.ends.turned if axis == -2]
    nodes = solve_ladders(
        conductance.flip(axes), problem.ends.behind, rows.squeeze(1).flip(axes), columns.squeeze(0)
    ).flip(axes)
    voltage = rows - nodes
    return _solution(problem, Arrivals.exact(voltage, conductance * voltage), (rows.expand_as(nodes), nodes))


def _solution(
    problem: Problem, arrivals: Arrivals, nodes: tuple[torch.Tensor, torch.Tensor] | None
) -> Solution:
    currents = arrivals.current.sum(0).T
    if problem.bias.floating_columns is not None:
        currents = currents.masked_fill(problem.bias.floating_columns, 0.0)
    by_vector = [part.movedim(-1, 0) for part in (arrivals.voltage, arrivals.current, *(nodes or ()))]
    voltage, current, *lines = by_vector
    rows, columns = problem.given
    # What is given for floating lines adds nothing: the currents of all their cells add up to 0.
    power = (arrivals.current * (rows - columns)).sum((0, 1))
    return Solution(currents, voltage, current, arrivals.residual, power, arrivals.num_steps, *lines)


def _complaint(arrivals: Arrivals, rest: torch.Tensor, first: int) -> str:
    worst = int(rest[arrivals.residual[rest].argmax()])
    return (
        f"vector {first + worst} is at a residual of {arrivals.residual[worst]:.1e} after "
        f"{int(arrivals.num_steps[worst])} steps, need {arrivals.tolerance:.1e}, as {len(rest)} of "
        f"{len(arrivals.residual)} vectors; lower the voltages or the wire resistance, or raise tolerance"
    )


def chunks(num_vectors: int, num_cells: int, most: int) -> Iterator[slice]:
    """Parts of all vectors, of at most so many cells times vectors, and of at least one vector."""
    size = max(1, most // num_cells)
    return (slice(start, min(start + size, num_vectors)) for start in range(0, num_vectors, size))


def _joined(parts: list[Solution]) -> Solution:
    """Solutions of some vectors each as one."""
    if len(parts) == 1:
        return parts[0]
    columns = ([getattr(part, field.name) for part in parts] for field in fields(Solution))
    return Solution(*(None if values[0] is None else torch.cat(values) for values in columns))  # type: ignore[arg-type]
