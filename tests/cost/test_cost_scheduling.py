"""The schedule of many samples has the times of the estimate, and those of hand calculations."""

import pytest

from crossloom.cost import estimate, schedule
from crossloom.errors import ConfigError
from crossloom.mapping import MappingConfig
from crossloom.placement import PlacementConfig, check_schedule
from crossloom.spec import load_system
from flows import normal, place_graph
from placed_cases import chain_placement
from small_graphs import attention_like_graph


def real_placement(system: str = "tsinghua_c200", **config):
    graph = attention_like_graph(normal(20, 30), normal(10, 20), num_tokens=9)
    return place_graph(
        graph, normal(4, 9, 30), load_system(system), placement=PlacementConfig(effort=0, **config)
    )


@pytest.mark.parametrize("system", ["tsinghua_c200", "isaac", "neurram", "hermes"])
def test_a_schedule_is_legal_and_as_fast_as_the_estimate_says(system):
    placement = real_placement(system)
    found, report = schedule(placement, num_samples=5), estimate(placement)
    assert check_schedule(found) == ()
    assert found.interval == pytest.approx(report.interval)
    assert found.latency == pytest.approx(report.latency)
    assert found.makespan >= 4 * found.interval


def test_replicas_take_time_off_macros_but_no_energy():
    one, three = (estimate(real_placement(replicas=replicas)) for replicas in ({}, {"first": 3, "second": 3}))
    busy = [
        max(span.stop - span.start for span in report.spans if span.resource == "macro")
        for report in (one, three)
    ]
    assert busy[1] == pytest.approx(busy[0] / 3)
    cells = [report.energy_by_component["cells"] for report in (one, three)]
    assert cells[0] == pytest.approx(cells[1])
    assert three.throughput > one.throughput
    assert three.area > one.area


def test_columns_that_share_a_converter_take_turns():
    """ISAAC's converters are shared by 128 columns: 20 outputs of 8 two-bit digits with a reference take 16 each."""
    placement = real_placement("isaac")
    times = schedule(placement).times
    tiles = [placement.mapped.tiles[number] for number in placement.mapped.tiles_of["first"]]
    for tile, time in zip(tiles, times.mvm["first"], strict=True):
        columns = tile.num_columns // placement.mapped.schemes["first"].columns_per_output
        assert time >= columns * times.conversion["first"] > 0


def test_copies_are_no_replicas():
    """Copies all take every vector: they save no time."""
    graph = attention_like_graph(normal(20, 30), normal(10, 20), num_tokens=9)
    system = load_system("tsinghua_c200")
    config = PlacementConfig(effort=0, keep_copies_apart=True)
    copied = place_graph(graph, normal(4, 9, 30), system, MappingConfig(copies=3), placement=config)
    plain = place_graph(graph, normal(4, 9, 30), system, placement=config)
    intervals = [
        max(sum(o.stop - o.start for o in schedule(p).operations if o.address == a) for a in p.macros)
        for p in (plain, copied)
    ]
    assert intervals[1] >= intervals[0]


def test_what_is_no_placement_is_refused():
    with pytest.raises(ConfigError, match="need a Placement"):
        schedule(chain_placement().mapped)  # type: ignore[arg-type]
