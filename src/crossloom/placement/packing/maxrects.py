"""Fills one bin that has forbidden regions, by the MaxRects algorithm.

The free cells are kept as all the largest free rectangles, which overlap each other; what is placed, or
forbidden, cuts those that it meets into at most four. From Jylänki 2010, "A Thousand Ways to Pack the Bin"
(there the rules below are called BSSF, BAF and BL).
"""

from collections.abc import Callable, Iterable, Sequence

from crossloom.placement.packing.shapes import Loads

Free = tuple[int, int, int, int]
"""A free rectangle: first row, first column, row after the last, column after the last."""

MAX_NUM_FREE = 200
"""Thousands of single faulty cells would leave millions of free rectangles; the largest are enough."""


def short_side(free: Free, height: int, width: int) -> tuple[int, ...]:
    """Least space left at the tighter side."""
    rows, columns = free[2] - free[0] - height, free[3] - free[1] - width
    return min(rows, columns), max(rows, columns)


def least_area(free: Free, height: int, width: int) -> tuple[int, ...]:
    """Smallest free rectangle."""
    return ((free[2] - free[0]) * (free[3] - free[1]), *short_side(free, height, width))


def first_corner(free: Free, height: int, width: int) -> tuple[int, ...]:
    """Lowest upper edge, then leftmost."""
    return free[0] + height, free[1]


RULES: tuple[Callable[[Free, int, int], tuple[int, ...]], ...] = (short_side, least_area, first_corner)


def take(frees: list[Free], taken: Free) -> list[Free]:
    """The largest free rectangles that are left once `taken` is gone."""
    row, column, row_end, column_end = taken
    kept, pieces = [], set()
    for free in frees:
        top, left, bottom, right = free
        if row >= bottom or row_end <= top or column >= right or column_end <= left:
            kept.append(free)
            continue
        if row > top:
            pieces.add((top, left, row, right))
        if row_end < bottom:
            pieces.add((row_end, left, bottom, right))
        if column > left:
            pieces.add((top, left, bottom, column))
        if column_end < right:
            pieces.add((top, column_end, bottom, right))
    return _largest(kept, pieces)


def _largest(kept: list[Free], pieces: set[Free]) -> list[Free]:
    """`kept` and those pieces that lie within no other; a piece cannot hold a kept one."""
    new: list[Free] = []
    for piece in sorted(pieces, key=lambda piece: (-_num_cells(piece), piece))[:MAX_NUM_FREE]:
        if not _lies_within_one(piece, kept) and not _lies_within_one(piece, new):
            new.append(piece)
    kept += new
    if len(kept) > MAX_NUM_FREE:
        kept = sorted(kept, key=lambda free: (-_num_cells(free), free))[:MAX_NUM_FREE]
    return kept


def _lies_within_one(piece: Free, frees: list[Free]) -> bool:
    top, left, bottom, right = piece
    return any(f[0] <= top and f[1] <= left and f[2] >= bottom and f[3] >= right for f in frees)


def _num_cells(free: Free) -> int:
    return (free[2] - free[0]) * (free[3] - free[1])


def free_rectangles(height: int, width: int, forbidden: Iterable[Free]) -> list[Free]:
    """The largest free rectangles of a bin with nothing in it but its forbidden regions."""
    frees = [(0, 0, height, width)]
    for region in forbidden:
        frees = take(frees, region)
    return frees


def fill_maxrects(
    frees: list[Free],
    rule,
    heights: Sequence[int],
    widths: Sequence[int],
    order: Sequence[int],
    groups=None,
    loads: Loads | None = None,
) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Places what it can of the rectangles `order`, first come first served.

    Returns (rectangle, row, column) of those placed, and the rest in order. `groups`, `loads` as in `fill_skyline`.
    """
    placed, rest, present = [], [], set()
    spare = loads.most if loads else 0.0
    for i in order:
        height, width = heights[i], widths[i]
        group = None if groups is None else groups[i]
        fitting = [f for f in frees if f[2] - f[0] >= height and f[3] - f[1] >= width]
        if not fitting or group in present or (loads is not None and loads.each[i] > spare):
            rest.append(i)
            continue
        row, column, _, _ = min(fitting, key=lambda free: rule(free, height, width))
        placed.append((i, row, column))
        frees = take(frees, (row, column, row + height, column + width))
        if group is not None:
            present.add(group)
        if loads is not None:
            spare -= loads.each[i]
    return placed, rest
