"""The verb: checks what is asked for, packs it, and says what is missing if it cannot be."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from crossloom.errors import CapacityError, ConfigError
from crossloom.placement.packing.bounds import area_bound, lower_bound
from crossloom.placement.packing.problem import Problem
from crossloom.placement.packing.search import greedy_layout, solve
from crossloom.placement.packing.shapes import Forbidden, Loads, Packing, Rectangle, Spot, check_counts

EFFORT = 2500


def pack(
    rectangles: Sequence[Rectangle],
    num_rows: int,
    num_columns: int,
    num_bins: int,
    *,
    forbidden: Iterable[Forbidden] = (),
    effort: int = EFFORT,
    keep_apart: Sequence[int | None] | None = None,
    loads: Loads | None = None,
) -> Packing:
    """Puts rectangles, unturned, onto as few bins of `num_rows` × `num_columns` cells as it can find.

    The same call gives the same answer. Bins are taken in their order, those with `forbidden` regions last
    (the fewest forbidden cells first). Rectangles with the same number in `keep_apart` go to different bins.
    `loads` of the rectangles in a bin add up to no more than they may.
    `effort` is the most rounds that the search may take, of about 0.2 ms each; 0 is greedy. The search ends
    early when a lower bound is reached.

    Raises:
        CapacityError: a rectangle is larger than a bin, or the search found no room for all in `num_bins`.
        ConfigError: a number is not a count, a forbidden region is not inside a bin, or the lengths differ.

    >>> packing = pack([Rectangle(3, 2), Rectangle(1, 2), Rectangle(4, 3)], 4, 4, num_bins=8)
    >>> packing.num_bins_used, packing.utilization
    (2, 0.625)
    """
    rectangles, regions = tuple(rectangles), tuple(forbidden)
    check_counts("a bin's rows and columns, and the number of bins", 1, num_rows, num_columns, num_bins)
    check_counts("effort", 0, effort)
    _check_inside(regions, num_rows, num_columns, num_bins)
    groups, num_copies = _groups(keep_apart, len(rectangles), num_bins)
    _check_sizes(rectangles, num_rows, num_columns)
    problem = Problem(
        num_rows=num_rows,
        num_columns=num_columns,
        num_bins=num_bins,
        heights=[int(rectangle.num_rows) for rectangle in rectangles],
        widths=[int(rectangle.num_columns) for rectangle in rectangles],
        groups=groups,
        forbidden=_by_bin(regions),
        loads=loads,
    )
    loaded = loads.num_bins if loads else 0
    least = max(lower_bound(rectangles, num_rows, num_columns), num_copies, loaded)
    layout, left = solve(problem, least, effort)
    if left:
        raise CapacityError(_missing(problem, rectangles, left))
    spots = {i: Spot(bin, row, column) for bin, placed in layout.items() for i, row, column in placed}
    return Packing(
        spots=tuple(spots[i] for i in range(len(rectangles))),
        num_bins_used=len(layout),
        area_bound=area_bound(rectangles, num_rows, num_columns),
        num_cells=sum(problem.sizes),
        num_cells_per_bin=num_rows * num_columns,
        bound=least,
    )


def _check_inside(regions: Iterable[Forbidden], num_rows: int, num_columns: int, num_bins: int) -> None:
    for region in regions:
        inside = (
            region.row + region.num_rows <= num_rows and region.column + region.num_columns <= num_columns
        )
        if not inside or region.bin >= num_bins:
            raise ConfigError(
                f"{region} is not inside one of {num_bins} bins of {num_rows} x {num_columns} cells"
            )


def _check_sizes(rectangles: Sequence[Rectangle], num_rows: int, num_columns: int) -> None:
    for i, rectangle in enumerate(rectangles):
        if rectangle.num_rows > num_rows or rectangle.num_columns > num_columns:
            raise CapacityError(
                f"tile {i} has {rectangle.num_rows} x {rectangle.num_columns} cells but a macro has only "
                f"{num_rows} x {num_columns}; split it into tiles that fit"
            )


def _groups(keep_apart, num_rectangles: int, num_bins: int) -> tuple[list[int | None] | None, int]:
    """Checks `keep_apart`; returns it, None if it asks for nothing, and the size of its largest group."""
    if keep_apart is None:
        return None, 0
    if len(keep_apart) != num_rectangles:
        raise ConfigError(
            f"keep_apart needs one entry per rectangle, {num_rectangles}, got {len(keep_apart)}"
        )
    sizes = Counter(group for group in keep_apart if group is not None)
    num_copies = max(sizes.values(), default=0)
    if num_copies > num_bins:
        raise CapacityError(
            f"{num_copies} copies of a tile must be on different macros but the system has {num_bins}; "
            f"use at most {num_bins} copies or {-(-num_copies // num_bins)} systems"
        )
    return (list(keep_apart) if num_copies > 1 else None), num_copies


def _by_bin(regions: Iterable[Forbidden]) -> dict[int, list[tuple[int, int, int, int]]]:
    bins = defaultdict(list)
    for region in regions:
        end = region.row + region.num_rows, region.column + region.num_columns
        bins[int(region.bin)].append((region.row, region.column, *end))
    return dict(bins)


def _missing(problem: Problem, rectangles: Sequence[Rectangle], left: Sequence[int]) -> str:
    """What did not find room, how many bins more it would take, and what to do."""
    num_rows, num_columns, has = problem.num_rows, problem.num_columns, problem.num_bins
    needs = has + len(greedy_layout(problem, left, 0, range(has)))
    forbidden = sum(problem.num_forbidden.values())
    without = f" with {forbidden:,} forbidden cells" if forbidden else ""
    return (
        f"{len(rectangles)} tiles need {needs} macros of {num_rows} x {num_columns} cells but the system has "
        f"{has}{without} (area bound {area_bound(rectangles, num_rows, num_columns)}); "
        f"{problem.num_cells(left):,} cells of {len(left)} tile{'s' * (len(left) > 1)} are left over; "
        f"use {-(-needs // has)} systems or more bits per cell, such as bits_per_cell=4"
    )
