"""How few bins could ever do: the area bound, and a sharper one from dual feasible functions.

A dual feasible function f maps lengths (shares of a side) to [0, 1] such that lengths that fit side by side
still do: Σ x ≤ 1 implies Σ f(x) ≤ 1. Then for any two of them Σᵢ f(heightᵢ) g(widthᵢ) is no more than the
number of bins (Fekete and Schepers 2001, Mathematical Programming 91, 11; the three families are from there
and from Carlier, Clautiaux and Moukrim 2007, Computers & Operations Research 34, 2223).
"""

from collections import Counter
from collections.abc import Sequence
from math import ceil

import numpy as np

from crossloom.placement.packing.shapes import Rectangle

NUM_PARAMETERS = 48
NUM_CUTS = 12
ROUNDING = 1e-7
"""Taken off before rounding up, so that a sum of floats never claims a bin too many."""


def area_bound(rectangles: Sequence[Rectangle], num_rows: int, num_columns: int) -> int:
    """Bins that the cells alone would fill: ⌈total area / bin area⌉."""
    return -(-sum(r.num_cells for r in rectangles) // (num_rows * num_columns))


def lower_bound(rectangles: Sequence[Rectangle], num_rows: int, num_columns: int) -> int:
    """A number of bins that no packing can beat; never less than the area bound."""
    area = area_bound(rectangles, num_rows, num_columns)
    if not rectangles:
        return 0
    counts = Counter((r.num_rows, r.num_columns) for r in rectangles)
    heights, widths = np.array(list(counts), dtype=np.int64).T
    times = np.array(list(counts.values()), dtype=np.float64)
    high = feasible_lengths(heights, num_rows)
    wide = feasible_lengths(widths, num_columns)
    plane = _round_up(((high * times) @ wide.T).max())
    return max(area, plane, _cross_bound(heights, widths, times, num_rows, num_columns, high, wide))


def feasible_lengths(lengths: np.ndarray, side: int) -> np.ndarray:
    """Every dual feasible function of every length, [function, length]."""
    length = lengths[None, :]
    share = length / side
    step = _parameters(lengths, side)[:, None]
    # Long lengths count as whole, short ones as nothing.
    cut = np.where(length > side - step, 1.0, np.where(length < step, 0.0, share))
    # Lengths count by how many steps they have; the big one by how many it leaves to others.
    most = side // step
    steps = np.where(2 * length > side, 2 * (most - (side - length) // step), 2 * (length // step))
    steps = np.where(2 * length == side, most, steps) / (2 * most)
    # Lengths are rounded to k-ths, downwards unless they are (k + 1)-ths.
    parts = np.arange(1, 24)[:, None]
    rounded = np.where((parts + 1) * length % side == 0, share, (parts + 1) * length // side / parts)
    return np.concatenate([share, cut, steps, rounded])


def _parameters(lengths: np.ndarray, side: int) -> np.ndarray:
    """The step sizes at which some length changes sides, thinned out; at least 1."""
    steps = np.unique(np.concatenate([lengths, side - lengths, [1]]))
    steps = steps[(steps > 0) & (2 * steps <= side)]
    if len(steps) == 0:
        return np.array([1])
    if len(steps) > NUM_PARAMETERS:
        steps = steps[np.linspace(0, len(steps) - 1, NUM_PARAMETERS).astype(int)]
    return steps


def _cross_bound(heights, widths, times, num_rows: int, num_columns: int, high, wide) -> int:
    """Bins for high rectangles and bins for wide ones, where no bin can hold one of each.

    With cuts p ≤ rows / 2 and q ≤ columns / 2: "high" is higher than rows - p and at least q wide, "wide" is
    wider than columns - q and at least p high. One of each meet in rows and in columns, so they exclude each
    other; high ones can only stand side by side and wide ones only stacked, which are two 1-D packings.
    """
    p = _cuts(heights, num_rows)
    q = _cuts(widths, num_columns)
    p, q = np.repeat(p, len(q))[:, None], np.tile(q, len(p))[:, None]
    is_high = (heights > num_rows - p) & (widths >= q)
    is_wide = (widths > num_columns - q) & (heights >= p) & ~is_high
    side_by_side = (wide * times) @ is_high.T.astype(float)
    stacked = (high * times) @ is_wide.T.astype(float)
    return int((np.ceil(side_by_side.max(0) - ROUNDING) + np.ceil(stacked.max(0) - ROUNDING)).max())


def _cuts(lengths: np.ndarray, side: int) -> np.ndarray:
    steps = _parameters(lengths, side)
    return steps[np.linspace(0, len(steps) - 1, min(NUM_CUTS, len(steps))).astype(int)]


def _round_up(value: float) -> int:
    return ceil(value - ROUNDING)
