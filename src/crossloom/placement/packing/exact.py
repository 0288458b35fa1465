"""Packing by a solver of constraint programs: slow, and it proves how far from the best its answer can be."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import Any

from crossloom.errors import MissingDependencyError
from crossloom.placement.packing.problem import num_covered
from crossloom.placement.packing.shapes import Forbidden, Packing, Rectangle, Spot

SEED = 0


def improve_exactly(
    packing: Packing,
    rectangles: Sequence[Rectangle],
    num_rows: int,
    num_columns: int,
    num_bins: int,
    *,
    effort: float,
    forbidden: Iterable[Forbidden] = (),
    keep_apart: Sequence[int | None] | None = None,
) -> Packing:
    """A packing into fewer bins, where CP-SAT of OR-tools finds one, and in any case the bound that it proves.

    Bins stand side by side as one long strip, on which rectangles must not overlap or cross the border of a bin. The
    same call gives the same answer: one worker, and `effort` in the solver's deterministic seconds, which are about
    seconds of a fast machine. Worth it for up to some hundred rectangles.

    Raises MissingDependencyError without OR-tools (the extra `exact`).
    """
    cp_model = _cp_model()
    if packing.num_bins_used <= packing.bound:
        return packing
    regions = list(forbidden)
    bins = _bins(regions, num_bins, packing.num_bins_used)
    model = cp_model.CpModel()
    starts = _lay_out(model, cp_model, rectangles, num_rows, num_columns, bins, regions)
    _ask_for_few(model, starts, num_columns, len(bins), packing.bound, keep_apart)
    for (row, column), spot in zip(starts, packing.spots, strict=True):
        if spot.bin in bins:
            model.add_hint(row, spot.row)
            model.add_hint(column, bins.index(spot.bin) * num_columns + spot.column)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = SEED
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return packing
    bound = max(packing.bound, round(solver.best_objective_bound) + 1)
    used = int(solver.objective_value) + 1
    if used >= packing.num_bins_used:
        return replace(packing, bound=min(bound, packing.num_bins_used))
    spots = []
    for row, column in starts:
        place, within = divmod(solver.value(column), num_columns)
        spots.append(Spot(bins[place], solver.value(row), within))
    used = len({spot.bin for spot in spots})
    return replace(packing, spots=tuple(spots), num_bins_used=used, bound=min(bound, used))


def _cp_model() -> Any:
    try:
        return import_module("ortools.sat.python.cp_model")
    except ImportError as error:
        raise MissingDependencyError(
            f"exact packing needs OR-tools, which cannot be imported ({error}); pip install 'crossloom[exact]', or "
            "leave exact out"
        ) from None


def _ask_for_few(
    model: Any,
    starts: Sequence[tuple[Any, Any]],
    num_columns: int,
    num_bins: int,
    bound: int,
    keep_apart: Sequence[int | None] | None,
) -> None:
    """Minimise the last bin in use; groups go to different ones."""
    last = model.new_int_var(bound - 1, num_bins - 1, "last")
    places = [model.new_int_var(0, num_bins - 1, f"bin{i}") for i in range(len(starts))]
    for place, (_, column) in zip(places, starts, strict=True):
        model.add_division_equality(place, column, num_columns)
        model.add(last >= place)
    for apart in _groups(keep_apart):
        model.add_all_different([places[i] for i in apart])
    model.minimize(last)


def _bins(regions: Sequence[Forbidden], num_bins: int, most: int) -> list[int]:
    """As many bins as are used already, in the order in which the packer takes them."""
    covered: dict[int, list] = {}
    for region in regions:
        end = region.row + region.num_rows, region.column + region.num_columns
        covered.setdefault(region.bin, []).append((region.row, region.column, *end))
    clean = list(islice((bin for bin in range(num_bins) if bin not in covered), most))
    damaged = sorted(covered, key=lambda bin: (num_covered(covered[bin]), bin))
    return (clean + damaged)[:most]


def _lay_out(
    model: Any,
    cp_model: Any,
    rectangles: Sequence[Rectangle],
    num_rows: int,
    num_columns: int,
    bins: Sequence[int],
    regions: Sequence[Forbidden],
) -> list[tuple[Any, Any]]:
    """Row and column on the strip of every rectangle; none overlaps another or a forbidden region."""
    starts, down, along = [], [], []
    for i, rectangle in enumerate(rectangles):
        height, width = rectangle.num_rows, rectangle.num_columns
        within = [[n * num_columns, (n + 1) * num_columns - width] for n in range(len(bins))]
        row = model.new_int_var(0, num_rows - height, f"row{i}")
        column = model.new_int_var_from_domain(cp_model.Domain.from_intervals(within), f"column{i}")
        starts.append((row, column))
        down.append(model.new_fixed_size_interval_var(row, height, f"down{i}"))
        along.append(model.new_fixed_size_interval_var(column, width, f"along{i}"))
    heights = [rectangle.num_rows for rectangle in rectangles]
    if not regions:  # implied, and helps; regions may overlap each other, and would count twice
        model.add_cumulative(along, heights, num_rows)
        model.add_no_overlap_2d(down, along)
        return starts
    for i, region in enumerate(regions):
        if region.bin in bins:
            first = bins.index(region.bin) * num_columns + region.column
            taken = (
                model.new_fixed_size_interval_var(region.row, region.num_rows, f"bad_down{i}"),
                model.new_fixed_size_interval_var(first, region.num_columns, f"bad_along{i}"),
            )
            for one, other in zip(down, along, strict=True):
                model.add_no_overlap_2d([one, taken[0]], [other, taken[1]])
    model.add_no_overlap_2d(down, along)
    return starts


def _groups(keep_apart: Sequence[int | None] | None) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for i, group in enumerate(keep_apart or ()):
        if group is not None:
            groups.setdefault(group, []).append(i)
    return [found for found in groups.values() if len(found) > 1]
