"""The solver finds the fewest macros, says what it has proven, and repeats itself."""

import random
import sys

import pytest

from crossloom.errors import MissingDependencyError
from crossloom.placement import PlacementConfig, check_placement
from crossloom.placement.packing import Forbidden, Rectangle, improve_exactly, pack
from flows import normal, place_graph
from placed_cases import small_system
from small_graphs import chain_graph


def test_without_the_solver_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ortools.sat.python.cp_model", None)
    rectangles = [Rectangle(2, 2)]
    with pytest.raises(MissingDependencyError, match=r"crossloom\[exact\]"):
        improve_exactly(pack(rectangles, 4, 4, 2), rectangles, 4, 4, 2, effort=1.0)


def instances(number: int):
    """26 random rectangles each, for bins of 40 x 40 cells (seed 0)."""
    draw = random.Random(0)
    for _ in range(number):
        yield [Rectangle(draw.randint(3, 26), draw.randint(3, 26)) for _ in range(26)]


def test_the_solver_is_never_worse_and_what_it_proves_is_true():
    """10 instances, from greedy packings, so that there is something to gain; cells are counted one by one."""
    pytest.importorskip("ortools.sat.python.cp_model")
    gained = proven = 0
    for rectangles in instances(10):
        first = pack(rectangles, 40, 40, 26, effort=0)
        searched = pack(rectangles, 40, 40, 26)
        better = improve_exactly(first, rectangles, 40, 40, 26, effort=0.2)
        assert better.bound <= better.num_bins_used <= first.num_bins_used
        assert better.bound <= searched.num_bins_used
        gained += better.num_bins_used < first.num_bins_used
        proven += better.bound == better.num_bins_used
        cells = {
            (spot.bin, row, column)
            for r, spot in zip(rectangles, better.spots, strict=True)
            for row in range(spot.row, spot.row + r.num_rows)
            for column in range(spot.column, spot.column + r.num_columns)
        }
        assert len(cells) == sum(r.num_cells for r in rectangles)
        assert all(0 <= row < 40 and 0 <= column < 40 for _, row, column in cells)
    assert gained >= 1
    assert proven >= 6


def test_the_solver_repeats_itself():
    pytest.importorskip("ortools.sat.python.cp_model")
    rectangles = list(instances(7))[-1]
    first = pack(rectangles, 40, 40, 26, effort=0)
    one, other = (improve_exactly(first, rectangles, 40, 40, 26, effort=0.2) for _ in range(2))
    assert one == other
    assert one.num_bins_used < first.num_bins_used


def test_the_solver_minds_forbidden_cells_and_groups():
    pytest.importorskip("ortools.sat.python.cp_model")
    rectangles = [Rectangle(9, 9), Rectangle(7, 7), Rectangle(7, 9), Rectangle(9, 7)]
    bad = [Forbidden(0, 0, 0, 1, 1)]
    first = pack(rectangles, 16, 16, 4, effort=0, forbidden=bad, keep_apart=[None, 1, None, 1])
    found = improve_exactly(
        first, rectangles, 16, 16, 4, effort=3.0, forbidden=bad, keep_apart=[None, 1, None, 1]
    )
    assert found.spots[1].bin != found.spots[3].bin
    assert all(not (spot.bin == 0 and spot.row == 0 and spot.column == 0) for spot in found.spots)
    assert found.num_bins_used == 2


def test_a_placement_asks_the_solver_and_tells_its_bound():
    pytest.importorskip("ortools.sat.python.cp_model")
    graph = chain_graph(normal(5, 11), normal(5, 5), normal(7, 5), normal(5, 7), normal(3, 5))
    config = PlacementConfig(effort=0, exact=3.0)
    placement = place_graph(graph, normal(4, 11), small_system(12), placement=config)
    assert check_placement(placement) == ()
    assert placement.bound is not None
    assert placement.area_bound <= placement.bound <= len(placement.macros)
