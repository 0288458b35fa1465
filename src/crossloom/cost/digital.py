"""What the digital unit does besides finishing the sums of layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from crossloom.graph import (
    Digital,
    Graph,
    Input,
    Matrix,
    Recurrence,
    matrices_of,
    measure_shapes,
    node_references,
)
from crossloom.mapping import MappedGraph, coverage

_FREE = frozenset(
    [
        *(
            "view",
            "_unsafe_view",
            "reshape",
            "flatten",
            "unflatten",
            "squeeze",
            "unsqueeze",
            "permute",
            "transpose",
        ),
        *(
            "t",
            "movedim",
            "swapaxes",
            "getitem",
            "expand",
            "slice",
            "select",
            "narrow",
            "split",
            "chunk",
            "unbind",
        ),
        *("detach", "alias", "contiguous", "clone", "dropout", "sym_size", "size"),
    ]
)
_STATE = 3
"""Operations of a recurrent layer's digital part per value of its gates: the sum of both products, the gate's function,
and one product or sum that the next state takes."""


@dataclass(frozen=True)
class DigitalWork:
    """Operations per sample of what runs outside crossbars.

    by_node: of digital nodes, and of matrices that stay digital, by name.  unknown: nodes that could not be counted.
    num_operations: two per multiplication of products, on crossbars or not, as far as they are known.
    """

    by_node: Mapping[str, float]
    unknown: tuple[str, ...]
    num_operations: int


def digital_work(mapped: MappedGraph) -> DigitalWork:
    """Count: two per multiplication of products, one per value that goes in or comes out (the more of both) elsewhere.

    Layouts (views, transposes, slices) are free. Recurrences count three per value of their gates.
    """
    graph = mapped.quantized.graph
    shapes = measure_shapes(graph)
    first = graph.inputs[0].shape if graph.inputs else ()
    num_samples = (first[0] or 1) if first else 1
    rows = coverage(mapped)
    products = {row.name: row.macs for row in rows if row.where == "digital"}
    by_node, unknown = {}, []
    for node in graph.nodes:
        if isinstance(node, Input):
            continue
        if isinstance(node, Recurrence):
            by_node[node.name] = _STATE * prod(shapes[node.source]) / num_samples
        by_node |= {
            matrix.name: 2.0 * (products[matrix.name] or 0)
            for matrix in matrices_of(node)
            if matrix.name not in mapped.schemes
        }
        if not isinstance(node, Digital):
            continue
        macs = products[node.name]
        if macs is None:
            unknown.append(node.name)
        elif macs:
            by_node[node.name] = 2.0 * macs
        elif _name(node) not in _FREE:
            by_node[node.name] = _values(node, shapes) / num_samples
    known = {name: work for name, work in by_node.items() if work}
    return DigitalWork(known, tuple(unknown), sum(2 * (row.macs or 0) for row in rows))


def owners(graph: Graph) -> Mapping[str, str]:
    """For every node, the last matrix operation that its value comes from; "" where there is none."""
    order = {node.name: number for number, node in enumerate(graph.matrices)}
    found: dict[str, str] = {}
    for node in graph.nodes:
        above = [found[name] for name in node_references(node) if found[name]]
        held = [matrix.name for matrix in matrices_of(node)]
        found[node.name] = max(held or above, key=order.__getitem__, default="")
        found |= {name: name for name in held}
    return found


def is_rectified(graph: Graph, name: str) -> bool:
    """Whether the value of this node is that of a rectifier, in whatever layout."""
    nodes = {node.name: node for node in graph.nodes}
    node = nodes[name]
    while isinstance(node, Digital) and _name(node) in _FREE and node_references(node):
        node = nodes[node_references(node)[0]]
    if isinstance(node, Matrix):
        return node.activation == "relu"
    return isinstance(node, Digital) and _name(node) in ("relu", "relu_")


def _values(node: Digital, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Values that go in, or that come out, whichever are more."""
    names = [name for name in (*node_references(node), node.name) if name in shapes]
    return max((prod(shapes[name]) for name in names), default=0)


def _name(node: Digital) -> str:
    return node.operation.split(".")[1] if "." in node.operation else node.operation
