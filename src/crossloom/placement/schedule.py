"""The schedule: which MVMs run when, on which chip, after which others, and what crosses a link."""

from collections.abc import Sequence
from dataclasses import dataclass

from crossloom.artefacts import saved
from crossloom.graph import Digital, Graph, Input, Matrix, NodeRef
from crossloom.mapping import MappedGraph, vectors_per_sample
from crossloom.spec import MacroAddress

_SUM_BYTES = 4


@saved
@dataclass(frozen=True)
class Step:
    """All MVMs of one layer on one chip.

    num_vectors: input vectors per sample.  after: numbers of the steps whose results it needs.  bytes_in,
    bytes_out: what crosses the chip's link for one sample.
    """

    layer: str
    chip: int
    tiles: tuple[int, ...]
    num_vectors: int
    after: tuple[int, ...]
    bytes_in: int
    bytes_out: int


def make_schedule(mapped: MappedGraph, addresses: Sequence[MacroAddress]) -> tuple[Step, ...]:
    """Steps in an order in which they can run. `addresses` holds the macro of every tile."""
    graph = mapped.quantized.graph
    needs, vectors = matrix_dependencies(graph), vectors_per_sample(graph)
    steps: list[Step] = []
    steps_of: dict[str, tuple[int, ...]] = {}
    for node in graph.matrices:
        after = tuple(number for name in needs[node.name] for number in steps_of[name])
        if node.name not in mapped.schemes:
            steps_of[node.name] = after
            continue
        tiles = mapped.tiles_of[node.name]
        chips = sorted({addresses[tile].chip for tile in tiles})
        first = len(steps)
        for chip in chips:
            here = tuple(tile for tile in tiles if addresses[tile].chip == chip)
            steps.append(_step(mapped, node, chip, here, after, vectors[node.name]))
        steps_of[node.name] = tuple(range(first, len(steps)))
    return tuple(steps)


def _step(
    mapped: MappedGraph,
    node: Matrix,
    chip: int,
    tiles: tuple[int, ...],
    after: tuple[int, ...],
    num_vectors: int,
) -> Step:
    layer = mapped.quantized.layers[node.name]
    held = [mapped.tiles[tile] for tile in tiles]
    spans = {(tile.input_start, tile.input_stop) for tile in held}
    bits_in = sum(stop - start for start, stop in spans) * layer.input_bits
    outputs = sum(tile.output_stop - tile.output_start for tile in held)
    bytes_in, bytes_out = -(-bits_in * num_vectors // 8), outputs * num_vectors * _SUM_BYTES
    return Step(node.name, chip, tiles, num_vectors, after, bytes_in, bytes_out)


def matrix_dependencies(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For every matrix operation, those whose results reach it through digital operations alone."""
    reaching: dict[str, tuple[str, ...]] = {}
    needs: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes:
        found = dict.fromkeys(name for source in _sources(node) for name in reaching[source])
        if isinstance(node, Matrix):
            needs[node.name] = tuple(found)
            reaching[node.name] = (node.name,)
        else:
            reaching[node.name] = tuple(found)
    return needs


def _sources(node: Input | Matrix | Digital) -> list[str]:
    if isinstance(node, Input):
        return []
    if isinstance(node, Matrix):
        return [node.source]
    return [leaf.name for leaf in _leaves((node.args, tuple(value for _, value in node.kwargs)))]


def _leaves(value: object) -> list[NodeRef]:
    if isinstance(value, NodeRef):
        return [value]
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, tuple | list) else []
