"""A whole crossbar, eliminated level by level: cells to blocks, blocks to larger blocks, until its ends are left.

All blocks of a level have one shape and are joined in one batch, first to blocks that are about square, and then
in both directions by turns. The last few blocks are joined one by one, without the ports that end in nothing.
The work grows as the third power of the side; what is kept for sweeps as its square.
"""

from dataclasses import dataclass
from typing import Any

import torch

from crossloom.circuits.wires.assembly import Part, assemble
from crossloom.circuits.wires.blocks import Block, cell_vector, cells
from crossloom.circuits.wires.floating import Floating
from crossloom.circuits.wires.folds import Fold, fold
from crossloom.circuits.wires.grid import Grid, grid_for
from crossloom.circuits.wires.segments import Segments

_LAST_BLOCKS = 16


@dataclass(frozen=True)
class CellStates:
    """What every cell meets, [batch, row, column, vector].

    current: A, from word line to bit line.  word_line, bit_line: V, at the cell.
    """

    current: torch.Tensor
    word_line: torch.Tensor
    bit_line: torch.Tensor

    @property
    def voltage(self) -> torch.Tensor:
        """V across every cell."""
        return self.word_line - self.bit_line


@dataclass(frozen=True)
class Elimination:
    """A crossbar without its inner nodes.

    The tensors here, [row, column] or [batch, row, column], lie on the grid, with the axes `turned` backwards;
    what methods take and give does not.
    """

    shape: tuple[int, int]
    turned: tuple[int, ...]
    grid: Grid
    conductance: torch.Tensor
    before: torch.Tensor
    behind: torch.Tensor
    whole: Block
    part: Part | None
    folds: tuple[Fold, ...]

    @property
    def transfer(self) -> torch.Tensor:
        """Current into the sensing ends of every bit line by one volt on every word line: S, [batch, row, column]."""
        total = 0
        for sources in self._sources():
            for sinks in self._sinks():
                total = total - self.whole.matrix[:, sources.unsqueeze(1), sinks]
        assert isinstance(total, torch.Tensor)
        return total.flip(self.turned)

    def cell_states(
        self,
        voltages: torch.Tensor,
        extra: torch.Tensor | None = None,
        ground: torch.Tensor | None = None,
        floating: Floating | None = None,
    ) -> CellStates:
        """Currents and voltages at every cell.

        voltages: V, [batch, row, vector].  extra: A, [batch, row, column, vector], through every cell beside its
        ohmic current.  ground: V, [batch, column, vector], at the sensing ends; None for 0 V.
        floating: lines without any end, from `floating_lines`; what is given for them does not count.
        """
        vector = cell_vector(self.before, self.behind)
        source = None
        own = answers = None
        if extra is not None:
            filled = self.grid.fill(extra.movedim(-1, 0).flip(self.turned)).movedim(0, -1)
            source = filled * self._damping().unsqueeze(-1)
            own, answers = self._up(vector.unsqueeze(-1) * source.unsqueeze(-2))
        outer = self._outer(voltages, ground)
        if floating is not None:
            outer = floating.settle(self.whole.matrix, outer, own)
        given = self._down(outer, answers)
        current = (self.conductance * self._damping()).unsqueeze(-1) * (vector.unsqueeze(-1) * given).sum(-2)
        current = current if source is None else current + source
        before, behind = self.before.unsqueeze(-1), self.behind.unsqueeze(-1)
        word_line = given[..., 0, :] - before * (given[..., 1, :] + current)
        bit_line = given[..., 3, :] + behind * (given[..., 2, :] + current)
        return CellStates(*(self._cut(values) for values in (current, word_line, bit_line)))

    def floating_lines(self, rows: torch.Tensor, columns: torch.Tensor) -> Floating:
        """Word lines [batch, row, vector] and bit lines [batch, column, vector], both bool, that have no end."""
        ports = self._outer(rows.to(self.conductance), columns.to(self.conductance)) > 0
        return Floating.among(self.whole.matrix, ports)

    def own_voltage(self, axis: int) -> torch.Tensor:
        """V across every cell with one volt at the end of its own line (1: word line, 2: bit line) alone."""
        size = self.whole.matrix.shape[-1]
        name, lines = ("left", self.grid.num_rows) if axis == 1 else ("bottom", self.grid.num_columns)
        outer = self.conductance.new_zeros(self.conductance.shape[0], size, lines)
        one = torch.eye(lines, dtype=outer.dtype, device=outer.device)
        for end in (name, "far right" if axis == 1 else "far top"):
            if end in self.whole.ports:
                outer[:, self.whole.ports[end]] = one
        given = self._down(outer, None, axis)[..., 0]
        sensed = (cell_vector(self.before, self.behind) * given).sum(-1)
        return self.grid.cut(sensed * self._damping(), self.shape).flip(self.turned)

    def pull_back(self, slope: torch.Tensor) -> torch.Tensor:
        """From the gradient with respect to `transfer` to that with respect to every conductance."""
        size = self.whole.matrix.shape[-1]
        start, slope = slope.new_zeros(slope.shape[0], size, size), slope.flip(self.turned)
        for sources in self._sources():
            for sinks in self._sinks():
                start[:, sources.unsqueeze(1), sinks] = -0.5 * slope
                start[:, sinks.unsqueeze(1), sources] = -0.5 * slope.mT
        blocks = self._last_blocks(slope.shape[0], lambda ports: (ports, ports), slope)
        assert self.part is not None
        self.part.pull_back(start, _putter(blocks))
        for step in reversed(self.folds):
            blocks = step.pull_back(blocks)
        vector = cell_vector(self.before, self.behind)
        along = ((blocks @ vector.unsqueeze(-1)).squeeze(-1) * vector).sum(-1)
        return self.grid.cut(along * self._damping().square(), self.shape).flip(self.turned)

    def _sources(self) -> list[torch.Tensor]:
        """The ports of the word lines' drivers, near and far."""
        ports = [self.whole.ports[name] for name in ("left", "far right") if name in self.whole.ports]
        return [index[self.grid.num_rows - self.shape[0] :] for index in ports]

    def _sinks(self) -> list[torch.Tensor]:
        """The ports of the bit lines' sensing ends, near and far."""
        ports = [self.whole.ports[name] for name in ("bottom", "far top") if name in self.whole.ports]
        return [index[: self.shape[1]] for index in ports]

    def _damping(self) -> torch.Tensor:
        return 1 / (1 + self.conductance * (self.before + self.behind))

    def _cut(self, values: torch.Tensor) -> torch.Tensor:
        return self.grid.cut(values.movedim(-1, 0), self.shape).flip(self.turned).movedim(0, -1)

    def _outer(self, voltages: torch.Tensor, ground: torch.Tensor | None) -> torch.Tensor:
        size = self.whole.matrix.shape[-1]
        outer = voltages.new_zeros(voltages.shape[0], size, voltages.shape[-1])
        for sources in self._sources():
            outer[:, sources] = voltages.flip(1) if -2 in self.turned else voltages
        for sinks in self._sinks() if ground is not None else ():
            assert ground is not None
            outer[:, sinks] = ground.flip(1) if -1 in self.turned else ground
        return outer

    def _down(
        self, outer: torch.Tensor, answers: tuple[Any, list[Any]] | None, own: int | None = None
    ) -> torch.Tensor:
        """From the ends to the ports of every cell: [batch, row, column, 4, vector]."""
        assert self.part is not None
        top, steps = answers if answers is not None else (None, [None] * len(self.folds))
        num_vectors = outer.shape[-1] // (1 if own is None else self.part.num_blocks(own))
        given = self._last_blocks(outer.shape[0], lambda ports: (ports, num_vectors), outer)
        self.part.down(outer, top, _putter(given), own)
        for step, known in zip(reversed(self.folds), reversed(steps), strict=True):
            given = step.down(given, known, own)
        return given

    def _up(self, answers: torch.Tensor) -> tuple[torch.Tensor, tuple[Any, list[Any]]]:
        """From answers of single cells to sources, [batch, row, column, 4, vector], to those of ends and joints."""
        assert self.part is not None
        steps = []
        for step in self.folds:
            answers, own = step.up(answers)
            steps.append(own)
        own, top = self.part.up(lambda row, column: answers[:, row, column])
        return own, (top, steps)

    def _last_blocks(self, batch: int, shape: Any, like: torch.Tensor) -> torch.Tensor:
        """Room for something of every one of the last blocks; `shape` of it by the number of ports."""
        height, width, num_rows, num_columns = _last_grid(self.grid)
        return like.new_zeros(batch, num_rows, num_columns, *shape(2 * (height + width)))


def eliminate(conductance: torch.Tensor, ends: Segments, keep: bool) -> Elimination:
    """Eliminate all inner nodes of ohmic cells [batch, row, column], S, float64.

    keep: whether sweeps back to the cells will be wanted.
    """
    shape = (conductance.shape[-2], conductance.shape[-1])
    grid = grid_for(*shape)
    before, behind = grid.resistances(ends, conductance)
    filled = grid.fill(conductance.flip(ends.turned))
    gamma = filled / (1 + filled * (before + behind))
    blocks, folds = cells(gamma, before, behind), []
    for axis, count in _steps(grid):
        blocks, step = fold(blocks, axis, count, keep)
        folds.append(step)
    whole, part = assemble(blocks, ends, keep)
    kept = tuple(folds) if keep else ()
    return Elimination(shape, ends.turned, grid, filled, before, behind, whole, part, kept)


def _steps(grid: Grid) -> list[tuple[int, int]]:
    """Which axis is folded, and how many blocks at a time."""
    steps = [(axis, leaf) for axis, leaf in ((2, grid.leaf_columns), (1, grid.leaf_rows)) if leaf > 1]
    for height, width, num_rows, num_columns in _sizes(grid)[:-1]:
        steps.append((2, 2) if num_columns > 1 and (width <= height or num_rows == 1) else (1, 2))
    return steps


def _sizes(grid: Grid) -> list[tuple[int, int, int, int]]:
    """Height and width of blocks, and how many there are, before every pairing and after the last one."""
    height, width = grid.leaf_rows, grid.leaf_columns
    num_rows, num_columns = 1 << grid.row_levels, 1 << grid.column_levels
    sizes = [(height, width, num_rows, num_columns)]
    while num_rows * num_columns > _LAST_BLOCKS:
        if num_columns > 1 and (width <= height or num_rows == 1):
            width, num_columns = 2 * width, num_columns // 2
        else:
            height, num_rows = 2 * height, num_rows // 2
        sizes.append((height, width, num_rows, num_columns))
    return sizes


def _last_grid(grid: Grid) -> tuple[int, int, int, int]:
    return _sizes(grid)[-1]


def _putter(room: torch.Tensor) -> Any:
    def put(row: int, column: int, value: torch.Tensor) -> None:
        room[:, row, column] = value

    return put
