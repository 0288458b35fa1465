"""References between nodes: who uses whose value, and how to rename them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from crossloom.graph.nodes import (
    Graph,
    Input,
    Matrix,
    Node,
    NodeRef,
    Recurrence,
    TensorRef,
    matrices_of,
)


def leaves(value: Any) -> Iterator[Any]:
    """Every value inside nested tuples."""
    if isinstance(value, tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def map_leaves(change: Callable[[Any], Any], value: Any) -> Any:
    """The same nested tuples with `change` applied to every value in them."""
    if isinstance(value, tuple):
        return tuple(map_leaves(change, item) for item in value)
    return change(value)


def node_references(node: Node) -> tuple[str, ...]:
    """Names of the nodes whose values this one uses, one entry per use."""
    if isinstance(node, Input):
        return ()
    if isinstance(node, Matrix):
        return (node.source,)
    if isinstance(node, Recurrence):
        given = (node.lengths, *node.start)
        return (node.source, *(leaf.name for leaf in given if isinstance(leaf, NodeRef)))
    return tuple(leaf.name for leaf in leaves((node.args, node.kwargs)) if isinstance(leaf, NodeRef))


def tensor_references(node: Node) -> tuple[str, ...]:
    """Names of the stored tensors that this node uses."""
    if isinstance(node, Input):
        return ()
    if isinstance(node, Matrix | Recurrence):
        given = (node.lengths, *node.start) if isinstance(node, Recurrence) else ()
        stored = tuple(leaf.name for leaf in given if isinstance(leaf, TensorRef))
        held = matrices_of(node)
        pairs = ((matrix.weight, matrix.bias, matrix.codes and matrix.codes.step) for matrix in held)
        return (*(name for pair in pairs for name in pair if name is not None), *stored)
    return tuple(leaf.name for leaf in leaves((node.args, node.kwargs)) if isinstance(leaf, TensorRef))


def count_uses(graph: Graph) -> Counter[str]:
    """How often each node's value is used; being an output of the graph is a use."""
    uses = Counter(graph.outputs)
    for node in graph.nodes:
        uses.update(node_references(node))
    return uses


def rename_references(node: Node, names: Mapping[str, str]) -> Node:
    """The node with its uses of `names` replaced by uses of what they map to."""
    if isinstance(node, Matrix):
        return replace(node, source=names.get(node.source, node.source))
    if isinstance(node, Input) or not names.keys() & set(node_references(node)):
        return node

    def rename(leaf: Any) -> Any:
        return NodeRef(names.get(leaf.name, leaf.name)) if isinstance(leaf, NodeRef) else leaf

    if isinstance(node, Recurrence):
        source, start = names.get(node.source, node.source), map_leaves(rename, node.start)
        return replace(node, source=source, start=start, lengths=rename(node.lengths))
    return replace(node, args=map_leaves(rename, node.args), kwargs=map_leaves(rename, node.kwargs))
