"""The stage: a quantised graph becomes tiles."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.errors import ConfigError
from crossloom.graph import Matrix
from crossloom.mapping.config import MappingConfig
from crossloom.mapping.integration import first_integration_time, legal_integration_time
from crossloom.mapping.scheme import Scheme, make_scheme
from crossloom.mapping.tiling import Block, cut_matrix
from crossloom.mapping.tying import tied_layers
from crossloom.quant import QuantizedGraph, QuantizedLayer
from crossloom.registry import did_you_mean
from crossloom.spec import MacroSpec

saved(MacroSpec)


@saved
@dataclass(frozen=True)
class Tile:
    """The block of one layer's matrix that one region of a crossbar holds.

    Inputs and outputs count over the layer's whole matrix; `copy` tells copies of a block apart. `num_rows` and
    `num_columns` are cells. `integration_time` is the readout's register n.
    """

    layer: str
    input_start: int
    input_stop: int
    output_start: int
    output_stop: int
    copy: int
    num_rows: int
    num_columns: int
    integration_time: float

    @property
    def num_cells(self) -> int:
        return self.num_rows * self.num_columns

    @property
    def block(self) -> tuple[int, int, int, int]:
        """What the tile holds, whichever copy it is."""
        return (self.input_start, self.input_stop, self.output_start, self.output_stop)


@saved
@dataclass(frozen=True)
class MappedGraph(Artefact):
    """A quantised graph as tiles. `schemes` by layer; layers without one stay on the digital unit.

    tied: layers that use the tiles of another, and whose: both multiply by one stored tensor.
    """

    quantized: QuantizedGraph = field(repr=False)
    config: MappingConfig
    macro: MacroSpec = field(repr=False)
    schemes: Mapping[str, Scheme] = field(repr=False)
    tiles: tuple[Tile, ...] = field(repr=False)
    tied: Mapping[str, str] = field(default_factory=dict, repr=False)

    @cached_property
    def tiles_of(self) -> Mapping[str, tuple[int, ...]]:
        """The numbers of the tiles of every mapped layer; tied layers have the same ones."""
        numbers: dict[str, list[int]] = {name: [] for name in self.schemes}
        for number, tile in enumerate(self.tiles):
            numbers[tile.layer].append(number)
        return {name: tuple(numbers[self.tied.get(name, name)]) for name in numbers}

    def tile(self, number: int) -> Tile:
        """The tile of this number, also where the number names a replica of it: see `Placement.numbers_of`."""
        return self.tiles[number % len(self.tiles)]

    @property
    def num_cells(self) -> int:
        return sum(tile.num_cells for tile in self.tiles)

    def weight(self, tile: Tile) -> torch.Tensor:
        """Integer weights [input, output] of a tile, zero off the diagonal of groups."""
        node = self._matrices[tile.layer]
        return _block_of(self.quantized.layers[tile.layer], node.groups, *tile.block)

    def levels(self, tile: Tile) -> torch.Tensor:
        """Levels [row, column] of the cells of a tile."""
        return self.schemes[tile.layer].encode(self.weight(tile))

    def targets(self, tile: Tile) -> torch.Tensor:
        """Conductances [row, column] that the cells of a tile shall have, S, float64."""
        scheme = self.schemes[tile.layer]
        return scheme.g_min + self.levels(tile).double() * scheme.level_step

    def with_integration_times(self, times: Mapping[int, float]) -> "MappedGraph":
        """A copy in which the tiles of these numbers have these integration times."""
        legal = {number: legal_integration_time(time, self.macro) for number, time in times.items()}
        tiles = tuple(
            replace(tile, integration_time=legal.get(number, tile.integration_time))
            for number, tile in enumerate(self.tiles)
        )
        return replace(self, tiles=tiles)

    def summary(self) -> str:
        """How many tiles and cells, and what stays digital."""
        num_digital = len(self._matrices) - len(self.schemes)
        shared = f", {len(self.tied)} share the cells of others" if self.tied else ""
        return (
            f"MappedGraph: {len(self.tiles)} tiles, {self.num_cells:,} cells, {num_digital} matrices stay digital"
            f"{shared}"
        )

    @cached_property
    def _matrices(self) -> dict[str, Matrix]:
        return {node.name: node for node in self.quantized.graph.matrices}


def map_graph(quantized: QuantizedGraph, config: MappingConfig, macro: MacroSpec) -> MappedGraph:
    """Encode, slice and cut every matrix operation.

    Raises ConfigError when cells have too few levels, drivers lack the input mode, or a name is unknown.
    """
    matrices = {node.name: node for node in quantized.graph.matrices}
    _check_names((*config.layers, *config.digital), list(matrices))
    schemes = {
        name: make_scheme(
            config.for_layer(name), layer.weight_bits, macro, layer.input_bits - layer.input_is_signed
        )
        for name, layer in quantized.layers.items()
        if name not in config.digital
    }
    tied = tied_layers(matrices, quantized.layers, schemes, config)
    tiles = [
        tile
        for name, scheme in schemes.items()
        if name not in tied
        for tile in _tiles(matrices[name], quantized.layers[name], scheme, config, macro)
    ]
    return MappedGraph(quantized, config, macro, schemes, tuple(tiles), tied)


def _check_names(names: tuple[str, ...], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(f"no matrix operation is called {name!r}; {did_you_mean(name, known)}")


def _tiles(
    node: Matrix, layer: QuantizedLayer, scheme: Scheme, config: MappingConfig, macro: MacroSpec
) -> list[Tile]:
    num_outputs, in_group = layer.weight.shape[0], layer.weight[0].numel()
    window_size = node.window.size if node.window else 1
    blocks = cut_matrix(
        node.name, in_group * node.groups, num_outputs, node.groups, window_size, scheme, macro
    )
    choices = config.for_layer(node.name)

    def time_of(block: Block) -> float:
        if choices.integration_time is not None:
            return legal_integration_time(choices.integration_time, macro)
        weight = _block_of(layer, node.groups, *_bounds(block))
        return first_integration_time(choices.full_scale, layer, scheme, weight, macro)

    return [
        _tile(node.name, block, copy, scheme, time)
        for block in blocks
        for time in [time_of(block)]
        for copy in range(scheme.copies)
    ]


def _tile(name: str, block: Block, copy: int, scheme: Scheme, time: float) -> Tile:
    num_inputs = block.input_stop - block.input_start
    num_outputs = block.output_stop - block.output_start
    converted = num_outputs * len(scheme.coefficients) + scheme.num_reference_outputs
    return Tile(
        name,
        *_bounds(block),
        copy,
        num_inputs * scheme.rows_per_input,
        converted * scheme.columns_per_output,
        time,
    )


def _bounds(block: Block) -> tuple[int, int, int, int]:
    return (block.input_start, block.input_stop, block.output_start, block.output_stop)


def _block_of(
    layer: QuantizedLayer, groups: int, input_start: int, input_stop: int, output_start: int, output_stop: int
) -> torch.Tensor:
    """A block [input, output] of the layer's whole matrix, which is block-diagonal in its groups."""
    rows = layer.weight.flatten(1)
    in_group, out_group = rows.shape[1], rows.shape[0] // groups
    inputs = torch.arange(input_start, input_stop, device=rows.device)
    outputs = torch.arange(output_start, output_stop, device=rows.device)
    same_group = (inputs // in_group).unsqueeze(1) == (outputs // out_group).unsqueeze(0)
    return rows[outputs][:, inputs % in_group].T * same_group
