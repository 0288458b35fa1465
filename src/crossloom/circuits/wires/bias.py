"""What is done to the lines of a crossbar: voltages, lines left floating, rows gated off."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from crossloom.errors import ConfigError


@dataclass(frozen=True)
class Bias:
    """Any number of states of the drivers, one a vector.

    word_lines: V, at the drivers, [vector, row].  bit_lines: V, behind the sensing ends, [vector, column]; None
    for 0 V.  active: rows whose cells conduct, [vector, row]; None for all. The others are cut off cell by cell, as
    access transistors do.  floating_rows, floating_columns: lines without a driver or a sensing end at that
    moment, [vector, row] and [vector, column]; None for none. What is given for them does not count.
    """

    word_lines: torch.Tensor
    bit_lines: torch.Tensor | None = None
    active: torch.Tensor | None = None
    floating_rows: torch.Tensor | None = None
    floating_columns: torch.Tensor | None = None

    @property
    def num_vectors(self) -> int:
        return len(self.word_lines)

    @property
    def is_floating(self) -> bool:
        """Whether any line floats."""
        return any(
            lines is not None and bool(lines.any()) for lines in (self.floating_rows, self.floating_columns)
        )

    def only(self, vectors: torch.Tensor | slice) -> "Bias":
        """Some of the vectors."""
        others = (self.bit_lines, self.active, self.floating_rows, self.floating_columns)
        return Bias(self.word_lines[vectors], *(None if part is None else part[vectors] for part in others))

    def double(self) -> "Bias":
        """The same with voltages in float64."""
        columns = None if self.bit_lines is None else self.bit_lines.double()
        return replace(self, word_lines=self.word_lines.double(), bit_lines=columns)

    def detach(self) -> "Bias":
        """The same without gradients."""
        columns = None if self.bit_lines is None else self.bit_lines.detach()
        return replace(self, word_lines=self.word_lines.detach(), bit_lines=columns)

    def check(self, shape: tuple[int, int]) -> None:
        """ConfigError unless this fits a crossbar of this shape, row by column."""
        num_rows, num_columns = shape
        if self.word_lines.dim() != 2 or not len(self.word_lines):
            raise ConfigError(
                f"voltages: need [vector, row] with at least one vector, got {list(self.word_lines.shape)}"
            )
        _check("voltages", self.word_lines, (self.num_vectors, num_rows), is_voltage=True)
        _check("bit_lines", self.bit_lines, (self.num_vectors, num_columns), is_voltage=True)
        _check("active", self.active, (self.num_vectors, num_rows))
        _check("floating_rows", self.floating_rows, (self.num_vectors, num_rows))
        _check("floating_columns", self.floating_columns, (self.num_vectors, num_columns))


@dataclass(frozen=True)
class Unselected:
    """What word lines and bit lines that are not selected are held at, as shares of the write voltage.

    None leaves them floating.
    """

    word_line: float | None
    bit_line: float | None


HALF = Unselected(1 / 2, 1 / 2)
THIRD = Unselected(1 / 3, 2 / 3)
GROUNDED = Unselected(0.0, 0.0)
FLOATING = Unselected(None, None)


def select(
    cells: Sequence[tuple[int, int]], shape: tuple[int, int], voltage: float, unselected: Unselected = HALF
) -> Bias:
    """One vector per cell of `cells` (row, column): its word line at `voltage` (V), its bit line at 0 V.

    Raises ConfigError for a cell that a crossbar of this shape does not have.
    """
    num_rows, num_columns = shape
    for row, column in cells:
        if not (0 <= row < num_rows and 0 <= column < num_columns):
            raise ConfigError(
                f"cells: need row < {num_rows} and column < {num_columns}, got ({row}, {column})"
            )
    rows, columns = (
        _chosen([row for row, _ in cells], num_rows),
        _chosen([at for _, at in cells], num_columns),
    )
    return Bias(
        _held(rows, voltage, voltage * (unselected.word_line or 0.0)),
        _held(columns, 0.0, voltage * (unselected.bit_line or 0.0)),
        floating_rows=~rows if unselected.word_line is None else None,
        floating_columns=~columns if unselected.bit_line is None else None,
    )


def _chosen(numbers: list[int], count: int) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.int64).unsqueeze(1) == torch.arange(count)


def _held(chosen: torch.Tensor, voltage: float, other: float) -> torch.Tensor:
    return torch.full(chosen.shape, other, dtype=torch.float64).masked_fill(chosen, voltage)


def _check(name: str, lines: torch.Tensor | None, shape: tuple[int, int], is_voltage: bool = False) -> None:
    if lines is None:
        return
    if lines.shape != shape:
        raise ConfigError(f"{name}: need [vector, line] of shape {list(shape)}, got {list(lines.shape)}")
    if is_voltage and not lines.is_floating_point():
        raise ConfigError(f"{name}: need floating-point numbers in volt, got {lines.dtype}")
    if not is_voltage and lines.dtype != torch.bool:
        raise ConfigError(f"{name}: need truth values, got {lines.dtype}")
    if is_voltage and not bool(torch.isfinite(lines).all()):
        where = (~torch.isfinite(lines)).nonzero()[0].tolist()
        raise ConfigError(f"{name}: need finite voltages, got {lines[tuple(where)].item()} at {where}")
