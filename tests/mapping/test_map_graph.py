"""Every weight lies in exactly one tile, copies aside."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.errors import ConfigError
from crossloom.graph import Graph
from crossloom.mapping import MappedGraph, MappingConfig, SignMagnitude, legal_integration_time, map_graph
from crossloom.quant import QuantConfig, quantize
from crossloom.spec import SystemSpec, load_system
from crossloom.testing.strategies import ideal_systems, mappings
from crossloom.windows import Window
from flows import MACRO, normal
from small_graphs import chain_graph, convolution_graph, linear_graph

SETTINGS = settings(max_examples=60, deadline=None)


def mapped_from(graph: Graph, config: MappingConfig, system: SystemSpec, bits: int = 4) -> MappedGraph:
    shape = [3 if size is None else size for size in graph.inputs[0].shape]
    quant = QuantConfig(weight_bits=bits, activation_bits=4)
    return map_graph(quantize(graph, quant, [(normal(*shape),)]), config, system.macro)


def small(num_rows: int, num_columns: int, **overrides) -> SystemSpec:
    sizes = {f"{MACRO}.crossbar.num_rows": num_rows, f"{MACRO}.crossbar.num_columns": num_columns}
    return load_system("ideal", sizes | {f"{MACRO}.{name}": value for name, value in overrides.items()})


def dense_weight(mapped: MappedGraph, name: str) -> torch.Tensor:
    """The whole matrix [input, output], zero off the diagonal of groups, made one weight at a time."""
    node = next(node for node in mapped.quantized.graph.matrices if node.name == name)
    weight = mapped.quantized.layers[name].weight.flatten(1)
    per_group, num_inputs = len(weight) // node.groups, weight.shape[1]
    whole = torch.zeros(num_inputs * node.groups, len(weight), dtype=weight.dtype)
    for output in range(len(weight)):
        for number in range(num_inputs):
            whole[output // per_group * num_inputs + number, output] = weight[output, number]
    return whole


def check_each_weight_once(mapped: MappedGraph) -> None:
    for name, scheme in mapped.schemes.items():
        whole = dense_weight(mapped, name)
        found, times = torch.zeros_like(whole), torch.zeros_like(whole)
        for number in mapped.tiles_of[name]:
            tile = mapped.tiles[number]
            part = (slice(tile.input_start, tile.input_stop), slice(tile.output_start, tile.output_stop))
            found[part] += mapped.weight(tile)
            times[part] += 1
        assert torch.equal(found, whole * scheme.copies)
        assert (times[whole != 0] == scheme.copies).all()
        assert times.max() <= scheme.copies
        copies = Counter(mapped.tiles[number].block for number in mapped.tiles_of[name])
        assert set(copies.values()) == {scheme.copies}


def check_tiles_fit(mapped: MappedGraph) -> None:
    crossbar = mapped.macro.crossbar
    for tile in mapped.tiles:
        assert 0 < tile.num_rows <= crossbar.num_rows
        assert 0 < tile.num_columns <= crossbar.num_columns
        assert tuple(mapped.levels(tile).shape) == (tile.num_rows, tile.num_columns)


@SETTINGS
@given(st.integers(1, 90), st.integers(1, 40), mappings(), ideal_systems())
def test_every_weight_of_a_linear_layer_is_in_one_tile(num_inputs, num_outputs, config, system):
    try:
        mapped = mapped_from(linear_graph(normal(num_outputs, num_inputs)), config, system)
    except ConfigError:
        return
    check_each_weight_once(mapped)
    check_tiles_fit(mapped)


@SETTINGS
@given(
    st.sampled_from([1, 2, 3, 5]),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(1, 3),
    mappings(),
    ideal_systems(),
)
def test_every_weight_of_a_grouped_convolution_is_in_one_tile(groups, inside, outside, size, config, system):
    window = Window((size, size), (1, 1), (1, 1), (1, 1))
    graph = convolution_graph(normal(groups * outside, inside, size, size), (5, 5), window, groups)
    try:
        mapped = mapped_from(graph, config, system)
    except ConfigError:
        return
    check_each_weight_once(mapped)
    check_tiles_fit(mapped)


def test_rows_are_cut_between_channels_where_a_channel_fits():
    """10 channels of 9 inputs in pairs of rows on 64 rows: 3 channels (54 rows) at a time."""
    window = Window((3, 3), (1, 1), (0, 0), (1, 1))
    graph = convolution_graph(normal(4, 10, 3, 3), (5, 5), window, 1)
    mapped = mapped_from(graph, MappingConfig(), small(64, 64, pairing="rows"))
    assert [(tile.input_start, tile.input_stop) for tile in mapped.tiles] == [
        (0, 27),
        (27, 54),
        (54, 81),
        (81, 90),
    ]


def test_a_channel_that_is_larger_than_a_crossbar_is_cut_all_the_same():
    window = Window((5, 5), (1, 1), (0, 0), (1, 1))
    graph = convolution_graph(normal(2, 2, 5, 5), (5, 5), window, 1)
    mapped = mapped_from(graph, MappingConfig(), small(16, 16))
    assert [tile.input_stop - tile.input_start for tile in mapped.tiles] == [16, 16, 16, 2]


def test_depthwise_groups_share_a_tile_along_its_diagonal():
    window = Window((3, 3), (1, 1), (0, 0), (1, 1))
    graph = convolution_graph(normal(10, 1, 3, 3), (5, 5), window, 10)
    mapped = mapped_from(graph, MappingConfig(), small(64, 64))
    spans = [tile.block for tile in mapped.tiles]
    assert spans == [(0, 63, 0, 7), (63, 90, 7, 10)]
    weight = mapped.weight(mapped.tiles[0])
    assert (weight != 0).sum() <= 63
    check_each_weight_once(mapped)


def test_a_large_matrix_is_cut_into_rows_and_columns():
    mapped = mapped_from(linear_graph(normal(40, 100)), MappingConfig(), small(64, 32))
    assert [tile.block for tile in mapped.tiles] == [
        (row, min(row + 64, 100), column, min(column + 16, 40)) for row in (0, 64) for column in (0, 16, 32)
    ]


def test_targets_are_levels_above_g_min():
    system = load_system("tsinghua_c200")
    mapped = mapped_from(linear_graph(normal(6, 8)), MappingConfig(), system)
    tile, cell = mapped.tiles[0], system.macro.cell
    targets, levels = mapped.targets(tile), mapped.levels(tile)
    torch.testing.assert_close(targets, cell.g_min + levels.double() * (cell.g_max - cell.g_min) / 7)
    assert targets.dtype == torch.float64


def test_layers_that_shall_stay_digital_get_no_tiles():
    graph = chain_graph(normal(4, 6), normal(3, 4))
    mapped = mapped_from(graph, MappingConfig(digital=("layer1",)), small(64, 64))
    assert set(mapped.schemes) == {"layer2"}
    assert {tile.layer for tile in mapped.tiles} == {"layer2"}
    assert "1 matrices stay digital" in mapped.summary()


@pytest.mark.parametrize("config", [MappingConfig(layers={"layer3": {}}), MappingConfig(digital=("layer3",))])
def test_a_layer_that_does_not_exist_is_refused_with_the_nearest(config):
    with pytest.raises(ConfigError, match="no matrix operation is called 'layer3'; did you mean layer"):
        mapped_from(chain_graph(normal(4, 6), normal(3, 4)), config, small(64, 64))


def test_a_weight_that_is_wider_than_a_crossbar_is_refused():
    config = MappingConfig(slicing=SignMagnitude(bits_per_cell=1))
    with pytest.raises(ConfigError, match=r"layer: one weight takes 1 rows and 7 converted columns"):
        mapped_from(linear_graph(normal(2, 2)), config, small(8, 8), bits=8)
    with pytest.raises(ConfigError, match="too many for 4 x 8 cells"):
        mapped_from(linear_graph(normal(2, 2)), MappingConfig(row_copies=5), small(4, 8))


def test_integration_times_are_legal_for_the_register():
    macro = load_system("tsinghua_c200").macro
    assert [legal_integration_time(time, macro) for time in (0.1, 1.4, 62.6, 900)] == [1.0, 1.0, 63.0, 63.0]
    assert legal_integration_time(0.37, load_system("ideal").macro) == 0.37


def test_integration_times_can_be_changed_tile_by_tile():
    mapped = mapped_from(
        chain_graph(normal(4, 6), normal(3, 4)), MappingConfig(), load_system("tsinghua_c200")
    )
    changed = mapped.with_integration_times({1: 17.4})
    assert changed.tiles[1].integration_time == 17.0
    assert changed.tiles[0] == mapped.tiles[0]
    assert mapped.tiles[1].integration_time != 17.0


def test_an_integration_time_that_was_asked_for_is_taken():
    config = MappingConfig(integration_time=9, layers={"layer2": {"integration_time": 99}})
    mapped = mapped_from(chain_graph(normal(4, 6), normal(3, 4)), config, load_system("tsinghua_c200"))
    assert [tile.integration_time for tile in mapped.tiles] == [9.0, 63.0]


@pytest.mark.parametrize("copies", [1, 2, 4])
def test_row_copies_share_the_integrator(copies):
    """The first guess of the integration time is divided by their number."""
    graph = linear_graph(torch.ones(4, 30) * 0.1)
    system = load_system("tsinghua_c200")
    one, many = (
        mapped_from(graph, MappingConfig(row_copies=number), system).tiles[0].integration_time
        for number in (1, copies)
    )
    assert abs(many - one / copies) <= 0.5 + 0.5 / copies


def test_a_layer_of_zeros_maps_like_any_other():
    mapped = mapped_from(linear_graph(torch.zeros(3, 4)), MappingConfig(), load_system("tsinghua_c200"))
    assert mapped.levels(mapped.tiles[0]).max() == 0
    assert 1 <= mapped.tiles[0].integration_time <= 63
