"""How a crossbar of any size is filled up, so that its blocks can be paired all the way."""

from dataclasses import dataclass

import torch

from crossloom.circuits.wires.segments import Segments

_LARGEST_LEAF = 15


@dataclass(frozen=True)
class Grid:
    """How a crossbar is filled up with cells that only pass on, so that blocks can be paired all the way.

    leaf_rows, leaf_columns: cells of a smallest block, odd numbers.  row_levels, column_levels: how often blocks
    are paired.
    """

    leaf_rows: int
    leaf_columns: int
    row_levels: int
    column_levels: int

    @property
    def num_rows(self) -> int:
        return self.leaf_rows << self.row_levels

    @property
    def num_columns(self) -> int:
        return self.leaf_columns << self.column_levels

    def fill(self, cells: torch.Tensor) -> torch.Tensor:
        """Cells [..., row, column] with zeros above them and to their right."""
        right, above = self.num_columns - cells.shape[-1], self.num_rows - cells.shape[-2]
        return torch.nn.functional.pad(cells, (0, right, above, 0)) if right or above else cells

    def cut(self, cells: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
        """The inverse of `fill`: [..., row, column] of `shape`."""
        return cells[..., self.num_rows - shape[0] :, : shape[1]]

    def resistances(self, ends: Segments, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Before and behind every cell, ohm, [row, column]. Lines of added cells alone end in one ohm a cell."""
        num_rows, num_columns = len(ends.behind), len(ends.before)
        before = like.new_ones(self.num_rows, self.num_columns)
        behind = like.new_ones(self.num_rows, self.num_columns)
        first = self.num_rows - num_rows
        before[first:] = 0
        before[first:, :num_columns] = like.new_tensor(ends.before)
        behind[:, :num_columns] = 0
        behind[first:, :num_columns] = like.new_tensor(ends.behind).unsqueeze(1)
        return before, behind


def grid_for(num_rows: int, num_columns: int) -> Grid:
    """The grid that adds the fewest cells."""
    (leaf_rows, row_levels), (leaf_columns, column_levels) = _side(num_rows), _side(num_columns)
    return Grid(leaf_rows, leaf_columns, row_levels, column_levels)


def _side(length: int) -> tuple[int, int]:
    choices = []
    for leaf in range(1, _LARGEST_LEAF + 1, 2):
        levels = max(-(-length // leaf) - 1, 0).bit_length()
        choices.append(((leaf << levels), leaf, levels))
    _, leaf, levels = min(choices)
    return leaf, levels
