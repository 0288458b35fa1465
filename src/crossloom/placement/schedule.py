"""The schedule: which MVMs run when, on which chip, after which others, and what crosses a link."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from crossloom.artefacts import saved
from crossloom.graph import Graph, Matrix, matrices_of, node_references
from crossloom.mapping import MappedGraph, vectors_per_sample
from crossloom.spec import MacroAddress

SUM_BYTES = 4


@saved
@dataclass(frozen=True)
class Step:
    """All MVMs of one replica of a layer on one chip.

    num_vectors: input vectors per sample that the replica takes.  after: numbers of the steps whose results it needs.
    bytes_in, bytes_out: what crosses the chip's link for one sample.
    """

    layer: str
    chip: int
    tiles: tuple[int, ...]
    num_vectors: int
    after: tuple[int, ...]
    bytes_in: int
    bytes_out: int
    replica: int = 0


def deal(num_vectors: int, num_replicas: int) -> list[int]:
    """How many vectors each replica takes: as even as can be.

    >>> deal(11, 3)
    [4, 4, 3]
    """
    each, over = divmod(num_vectors, num_replicas)
    return [each + (number < over) for number in range(num_replicas)]


def make_schedule(
    mapped: MappedGraph,
    addresses: Sequence[MacroAddress],
    replicas: Mapping[str, Sequence[Sequence[MacroAddress]]] | None = None,
) -> tuple[Step, ...]:
    """Steps in an order in which they can run. `addresses` holds the macro of every tile.

    replicas: by layer, for every replica but the first, the macros of the layer's tiles.
    """
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
        holder = mapped.tied.get(node.name, node.name)
        placed = [[addresses[tile] for tile in tiles], *(replicas or {}).get(holder, ())]
        first = len(steps)
        for replica, num_vectors in enumerate(deal(vectors[node.name], len(placed))):
            for chip, here in _by_chip(tiles, placed[replica]) if num_vectors else ():
                steps.append(_step(mapped, node, chip, here, after, num_vectors, replica))
        steps_of[node.name] = tuple(range(first, len(steps)))
    return tuple(steps)


def _by_chip(
    tiles: Sequence[int], addresses: Sequence[MacroAddress]
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The tiles on each chip, in the order of chips."""
    found: dict[int, list[int]] = {}
    for tile, address in zip(tiles, addresses, strict=True):
        found.setdefault(address.chip, []).append(tile)
    return ((chip, tuple(found[chip])) for chip in sorted(found))


def _step(
    mapped: MappedGraph,
    node: Matrix,
    chip: int,
    tiles: tuple[int, ...],
    after: tuple[int, ...],
    num_vectors: int,
    replica: int,
) -> Step:
    layer = mapped.quantized.layers[node.name]
    held = [mapped.tiles[tile] for tile in tiles]
    spans = {(tile.input_start, tile.input_stop) for tile in held}
    bits_in = sum(stop - start for start, stop in spans) * layer.input_bits
    outputs = sum(tile.output_stop - tile.output_start for tile in held)
    bytes_in, bytes_out = -(-bits_in * num_vectors // 8), outputs * num_vectors * SUM_BYTES
    return Step(node.name, chip, tiles, num_vectors, after, bytes_in, bytes_out, replica)


def matrix_dependencies(graph: Graph) -> dict[str, tuple[str, ...]]:
    """For every matrix operation, those whose results reach it through digital operations alone."""
    reaching: dict[str, tuple[str, ...]] = {}
    needs: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes:
        found = dict.fromkeys(name for source in node_references(node) for name in reaching[source])
        held = matrices_of(node)
        for matrix in held:  # within a recurrence, one after the other
            needs[matrix.name] = tuple(found)
            found = (matrix.name,)
        reaching[node.name] = tuple(found)
    return needs
