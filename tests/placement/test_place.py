"""Tiles find regions of their own, and the schedule runs what is needed first."""

from itertools import combinations

import pytest
import torch

from crossloom.errors import CapacityError, ConfigError, GraphError
from crossloom.graph import Graph
from crossloom.mapping import MappingConfig, map_graph
from crossloom.placement import ForbiddenRegion, Placement, PlacementConfig, place
from crossloom.quant import QuantConfig, quantize
from crossloom.spec import SystemSpec, load_system
from crossloom.windows import Window
from flows import MACRO, normal, place_graph
from small_graphs import (
    attention_like_graph,
    chain_graph,
    convolution_graph,
    diamond_graph,
    linear_graph,
)


def system_of(num_chips: int, num_rows: int = 16, num_columns: int = 16, **overrides) -> SystemSpec:
    return load_system(
        "ideal",
        {
            "num_chips": num_chips,
            "chip.num_cores": 1,
            "chip.core.num_macros": 1,
            f"{MACRO}.crossbar.num_rows": num_rows,
            f"{MACRO}.crossbar.num_columns": num_columns,
            **overrides,
        },
    )


def cells_of(placement: Placement, number: int) -> tuple:
    site, tile = placement.sites[number], placement.mapped.tiles[number]
    return (site.address, site.row, site.row + tile.num_rows, site.column, site.column + tile.num_columns)


def overlap(one: tuple, other: tuple) -> bool:
    return (
        one[0] == other[0]
        and one[1] < other[2]
        and other[1] < one[2]
        and one[3] < other[4]
        and other[3] < one[4]
    )


def check_legal(placement: Placement) -> None:
    crossbar = placement.system.macro.crossbar
    regions = [cells_of(placement, number) for number in range(len(placement.sites))]
    addresses = set(placement.system.addresses())
    for address, row, row_end, column, column_end in regions:
        assert address in addresses
        assert 0 <= row < row_end <= crossbar.num_rows
        assert 0 <= column < column_end <= crossbar.num_columns
    assert not any(overlap(*pair) for pair in combinations(regions, 2))
    assert len(placement.macros) >= placement.area_bound


def check_schedule(placement: Placement) -> None:
    """Every step comes after those that it needs; every tile is in one step, on its own chip."""
    for number, step in enumerate(placement.schedule):
        assert all(before < number for before in step.after)
        for tile in step.tiles:
            assert placement.sites[tile].address.chip == step.chip
            assert placement.mapped.tiles[tile].layer == step.layer
    placed = sorted(tile for step in placement.schedule for tile in step.tiles)
    assert placed == list(range(len(placement.sites)))


def test_tiles_do_not_overlap_and_lie_on_the_system():
    placement = place_graph(chain_graph(normal(20, 50), normal(9, 20)), normal(4, 50), system_of(40))
    assert len(placement.sites) > 10
    check_legal(placement)
    check_schedule(placement)


def test_a_system_that_is_too_small_is_refused_with_what_is_missing():
    with pytest.raises(CapacityError) as caught:
        place_graph(linear_graph(normal(30, 60)), normal(4, 60), system_of(2))
    message = str(caught.value)
    assert "2" in message
    assert any(character.isdigit() for character in message)
    assert "use" in message or "more" in message


def test_forbidden_regions_stay_free():
    forbidden = (
        ForbiddenRegion(chip=0, num_rows=16, num_columns=10),
        ForbiddenRegion(chip=1, row=4, column=3, num_rows=1, num_columns=1),
    )
    system = system_of(3)
    placement = place_graph(
        linear_graph(normal(12, 16)),
        normal(4, 16),
        system,
        placement=PlacementConfig(forbidden=forbidden),
    )
    check_legal(placement)
    for number in range(len(placement.sites)):
        for region in forbidden:
            bad = (
                system.address(region.chip),
                region.row,
                region.row + region.num_rows,
                region.column,
                region.column + region.num_columns,
            )
            assert not overlap(cells_of(placement, number), bad)


def test_forbidden_regions_can_make_a_system_too_small():
    graph, inputs = linear_graph(normal(8, 16)), normal(4, 16)
    place_graph(graph, inputs, system_of(1))
    with pytest.raises(CapacityError):
        place_graph(
            graph,
            inputs,
            system_of(1),
            placement=PlacementConfig(forbidden=(ForbiddenRegion(chip=0, num_rows=1, num_columns=1),)),
        )


@pytest.mark.parametrize(
    "region",
    [
        {"chip": 2, "num_rows": 1, "num_columns": 1},
        {"chip": 0, "core": 1, "num_rows": 1, "num_columns": 1},
        {"chip": 0, "macro": 1, "num_rows": 1, "num_columns": 1},
        {"chip": 0, "row": 10, "num_rows": 7, "num_columns": 1},
    ],
)
def test_a_forbidden_region_outside_the_system_is_refused(region):
    config = PlacementConfig(forbidden=(ForbiddenRegion(**region),))
    with pytest.raises(ConfigError):
        place_graph(linear_graph(normal(4, 4)), normal(4, 4), system_of(2), placement=config)


@pytest.mark.parametrize("apart", [True, False])
def test_copies_are_kept_apart_when_asked_for(apart):
    placement = place_graph(
        chain_graph(normal(3, 4), normal(2, 3)),
        normal(4, 4),
        system_of(6),
        MappingConfig(copies=3),
        placement=PlacementConfig(keep_copies_apart=apart),
    )
    check_legal(placement)
    for layer in ("layer1", "layer2"):
        macros = {placement.sites[number].address for number in placement.mapped.tiles_of[layer]}
        assert (len(macros) == 3) == apart


def test_more_copies_than_macros_cannot_be_kept_apart():
    with pytest.raises(CapacityError):
        place_graph(
            linear_graph(normal(3, 4)),
            normal(4, 4),
            system_of(2),
            MappingConfig(copies=3),
            placement=PlacementConfig(keep_copies_apart=True),
        )


def test_each_layer_waits_for_those_that_reach_it():
    placement = place_graph(
        chain_graph(normal(30, 20), normal(10, 30), normal(2, 10)), normal(4, 20), system_of(20)
    )
    check_schedule(placement)
    layer_of = [step.layer for step in placement.schedule]
    for number, step in enumerate(placement.schedule):
        needs = {layer_of[before] for before in step.after}
        assert needs == ({f"layer{int(step.layer[-1]) - 1}"} if step.layer != "layer1" else set()), number


def test_layers_that_need_nothing_of_each_other_do_not_wait():
    placement = place_graph(
        diamond_graph(normal(3, 4), normal(3, 5)), (normal(6, 4), normal(6, 5)), system_of(4)
    )
    assert [step.after for step in placement.schedule] == [(), ()]


def test_a_digital_layer_passes_its_needs_on():
    placement = place_graph(
        chain_graph(normal(6, 4), normal(5, 6), normal(2, 5)),
        normal(4, 4),
        system_of(6),
        MappingConfig(digital=("layer2",)),
    )
    assert [(step.layer, step.after) for step in placement.schedule] == [("layer1", ()), ("layer3", (0,))]


def test_bytes_over_links_are_those_of_a_hand_calculation():
    """20 inputs of 4 bits in two spans (16 and 4), 30 outputs in 4 column blocks of at most 8, as 4-byte sums."""
    placement = place_graph(linear_graph(normal(30, 20)), normal(4, 20), system_of(8))
    total_in = total_out = 0
    for step in placement.schedule:
        tiles = [placement.mapped.tiles[number] for number in step.tiles]
        spans = {(tile.input_start, tile.input_stop) for tile in tiles}
        assert step.num_vectors == 1
        assert step.bytes_in == -(-sum(stop - start for start, stop in spans) * 4 // 8)
        assert step.bytes_out == 4 * sum(tile.output_stop - tile.output_start for tile in tiles)
        total_in, total_out = total_in + step.bytes_in, total_out + step.bytes_out
    assert total_out == 2 * 30 * 4
    assert f"{total_in + total_out:,} bytes a sample" in placement.summary()


def test_a_convolution_takes_one_vector_for_every_position():
    window = Window((3, 3), (2, 1), (1, 0), (1, 1))
    graph = convolution_graph(normal(2, 1, 3, 3), (9, 8), window, 1)
    placement = place_graph(graph, normal(2, 1, 9, 8), system_of(4))
    assert {step.num_vectors for step in placement.schedule} == {5 * 6}


def test_tokens_are_vectors_of_their_sample_however_axes_are_ordered():
    graph = attention_like_graph(normal(6, 4), normal(3, 6), num_tokens=5)
    placement = place_graph(graph, normal(7, 5, 4), system_of(4))
    assert [step.num_vectors for step in placement.schedule] == [5, 5]


def test_a_fixed_batch_is_counted_sample_by_sample():
    graph = linear_graph(normal(3, 4))
    source, node = graph.nodes
    fixed = Graph(
        (type(source)("x", (4, 4), "float32"), type(node)(**{**vars(node), "shape": (4, 3)})),
        graph.outputs,
        True,
        graph.tensors,
    )
    one, four = (place_graph(each, normal(4, 4), system_of(2)) for each in (graph, fixed))
    assert one.schedule == four.schedule


def test_a_graph_mapped_for_other_macros_is_refused():
    quantized = quantize(linear_graph(normal(3, 4)), QuantConfig(), [(normal(2, 4),)])
    mapped = map_graph(quantized, MappingConfig(), system_of(2).macro)
    with pytest.raises(ConfigError, match="mapped for other macros"):
        place(mapped, PlacementConfig(), system_of(2, num_rows=17))


def test_a_model_without_matrices_is_refused():
    graph = linear_graph(normal(2, 2))
    graph = Graph(graph.nodes[:1], ("x",), True, {})
    with pytest.raises(GraphError, match="no matrix operation"):
        place_graph(graph, normal(2, 2), system_of(2))


def test_a_model_that_stays_digital_is_placed_nowhere():
    placement = place_graph(
        linear_graph(normal(3, 4)), normal(2, 4), system_of(2), MappingConfig(digital=("layer",))
    )
    assert (placement.sites, placement.schedule, placement.macros) == ((), (), ())
    assert placement.utilization == 0
    assert "0 tiles" in placement.summary()


def test_the_same_call_gives_the_same_placement():
    first, second = (
        place_graph(chain_graph(normal(20, 50), normal(9, 20)), normal(4, 50), system_of(40))
        for _ in range(2)
    )
    assert first.sites == second.sites


def test_utilization_is_the_share_of_cells_in_use():
    placement = place_graph(linear_graph(normal(8, 16)), normal(4, 16), system_of(3))
    assert placement.utilization == 1.0
    half = place_graph(linear_graph(normal(8, 8)), normal(4, 8), system_of(3))
    assert half.utilization == 0.5


def test_settings_can_change_while_sites_stay():
    graph, inputs, system = linear_graph(normal(8, 16)), normal(4, 16), system_of(3)
    placement = place_graph(graph, inputs, system)
    timed = placement.mapped.with_integration_times({0: 0.5})
    assert placement.with_mapped(timed).mapped.tiles[0].integration_time == 0.5
    assert placement.with_mapped(timed).sites == placement.sites


@pytest.mark.parametrize("other", [{"row_copies": 2}, {"copies": 2}, {"encoding": {"kind": "offset_column"}}])
def test_other_tiles_cannot_take_the_sites_of_these(other):
    """Also when they hold the same blocks in more cells."""
    graph, inputs, system = linear_graph(normal(3, 4)), normal(4, 4), system_of(3)
    placement = place_graph(graph, inputs, system)
    mapped = place_graph(graph, inputs, system, MappingConfig(**other)).mapped
    with pytest.raises(ConfigError, match="place them anew"):
        placement.with_mapped(mapped)


def test_a_single_weight_takes_its_cells():
    placement = place_graph(linear_graph(torch.ones(1, 1)), torch.ones(1, 1), system_of(1))
    assert placement.mapped.num_cells == 2
    check_legal(placement)
