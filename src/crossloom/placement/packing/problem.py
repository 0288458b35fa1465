"""A packing problem as plain lists, and how one of its bins is filled."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count

import numpy as np

from crossloom.placement.packing.maxrects import RULES, Free, fill_maxrects, free_rectangles
from crossloom.placement.packing.shapes import Loads
from crossloom.placement.packing.skyline import Placed, fill_skyline

Layout = dict[int, Placed]
"""What lies in each used bin: (rectangle, row, column)."""


@dataclass(frozen=True)
class Problem:
    """Rectangles `i` of `heights[i]` rows × `widths[i]` columns, and the bins that may take them.

    Bins from `num_bins` on do not exist: they are empty, and hold what the real ones have no room for.
    `groups[i]` is a number or None: rectangles with the same number must be in different bins. The `loads` of
    those in one bin add up to no more than they may.
    """

    num_rows: int
    num_columns: int
    num_bins: int
    heights: Sequence[int]
    widths: Sequence[int]
    groups: Sequence[int | None] | None
    forbidden: dict[int, list[Free]]
    loads: Loads | None = None
    sizes: list[int] = field(init=False)
    num_forbidden: dict[int, int] = field(init=False)
    frees: dict[int, list[Free]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        sizes = [height * width for height, width in zip(self.heights, self.widths, strict=True)]
        object.__setattr__(self, "sizes", sizes)
        num_forbidden = {bin: num_covered(regions) for bin, regions in self.forbidden.items()}
        object.__setattr__(self, "num_forbidden", num_forbidden)

    @property
    def num_free(self) -> int:
        """Cells of all the bins that may be covered."""
        return self.num_bins * self.num_rows * self.num_columns - sum(self.num_forbidden.values())

    def bins(self) -> Iterator[int]:
        """Every bin, the one with most free cells first; endless, for the bins that do not exist."""
        clean = (bin for bin in range(self.num_bins) if bin not in self.forbidden)
        most_free = sorted(self.forbidden, key=lambda bin: (self.num_forbidden[bin], bin))
        return chain(clean, most_free, count(self.num_bins))

    def num_cells(self, rectangles: Iterable[int]) -> int:
        return sum(self.sizes[i] for i in rectangles)

    def num_cells_in(self, placed: Placed) -> int:
        return self.num_cells(i for i, _, _ in placed)

    def fill(self, bin: int, order: Sequence[int], way: int):
        """Places what it can of `order` in an empty bin: (rectangle, row, column) of each, and the rest.

        `way` chooses along which side the skyline grows, or by which rule free rectangles are chosen.
        """
        if bin in self.forbidden:
            rule = RULES[way % len(RULES)]
            frees = self._frees(bin)
            return fill_maxrects(frees, rule, self.heights, self.widths, order, self.groups, self.loads)
        if way % 2:
            return fill_skyline(
                self.num_rows, self.num_columns, self.heights, self.widths, order, self.groups, self.loads
            )
        placed, rest = fill_skyline(
            self.num_columns, self.num_rows, self.widths, self.heights, order, self.groups, self.loads
        )
        return [(i, row, column) for i, column, row in placed], rest

    def _frees(self, bin: int) -> list[Free]:
        if bin not in self.frees:
            self.frees[bin] = free_rectangles(self.num_rows, self.num_columns, self.forbidden[bin])
        return self.frees[bin]


def num_covered(regions: Sequence[Free]) -> int:
    """Cells of the union of regions, counted on the grid of their edges."""
    rows = np.unique([edge for region in regions for edge in region[0::2]])
    columns = np.unique([edge for region in regions for edge in region[1::2]])
    covered = np.zeros((len(rows) - 1, len(columns) - 1), dtype=bool)
    for row, column, row_end, column_end in regions:
        height = slice(*np.searchsorted(rows, (row, row_end)))
        width = slice(*np.searchsorted(columns, (column, column_end)))
        covered[height, width] = True
    return int(np.diff(rows) @ covered @ np.diff(columns))
