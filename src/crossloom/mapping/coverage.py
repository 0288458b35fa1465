"""What of a model runs in memory, what runs digitally, and why, with the multiplications of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

from crossloom.errors import GraphError
from crossloom.graph import (
    Digital,
    Graph,
    Input,
    Matrix,
    NodeRef,
    Recurrence,
    TensorRef,
    matrices_of,
    measure_shapes,
)
from crossloom.mapping.map_graph import MappedGraph
from crossloom.mapping.vectors import vectors_per_sample

Shapes = Mapping[str, tuple[int, ...]]

_PRODUCTS = frozenset(
    [
        "matmul",
        "mm",
        "bmm",
        "addmm",
        "addbmm",
        "baddbmm",
        "mv",
        "addmv",
        "dot",
        "vdot",
        "inner",
        "linear",
        "bilinear",
        "einsum",
        "tensordot",
        "scaled_dot_product_attention",
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "lstm",
        "gru",
        "rnn_tanh",
        "rnn_relu",
        "lstm_cell",
        "gru_cell",
        "rnn_tanh_cell",
        "rnn_relu_cell",
    ]
)


@dataclass(frozen=True)
class NodeCoverage:
    """Where one node of the graph runs, and why.

    operation: `"linear"`, `"conv2d"`, or the name of the digital operation.  layer: the module it comes from.
    macs: multiplications per sample, 0 for what multiplies no matrices, None where they are not known.
    """

    name: str
    operation: str
    layer: str
    where: Literal["memory", "digital"]
    why: str
    macs: int | None


def coverage(mapped: MappedGraph) -> tuple[NodeCoverage, ...]:
    """One row for every node of the graph but its inputs, in the graph's order."""
    graph = mapped.quantized.graph
    shapes, vectors = measure_shapes(graph), vectors_per_sample(graph)
    return tuple(
        _cover(mapped, part, shapes, vectors)
        for node in graph.nodes
        if not isinstance(node, Input)
        for part in (node, *(() if isinstance(node, Matrix) else matrices_of(node)))
    )


def share_in_memory(rows: Iterable[NodeCoverage]) -> float:
    """The share of all known multiplications that crossbars do; 0 where nothing is multiplied.

    >>> share_in_memory([
    ...     NodeCoverage("fc", "linear", "fc", "memory", "", 300),
    ...     NodeCoverage("mix", "aten.bmm.default", "", "digital", "", 100),
    ... ])
    0.75
    """
    rows = list(rows)
    total = sum(row.macs or 0 for row in rows)
    return sum(row.macs or 0 for row in rows if row.where == "memory") / total if total else 0.0


def _cover(
    mapped: MappedGraph, node: Matrix | Recurrence | Digital, shapes: Shapes, vectors: Mapping[str, int]
) -> NodeCoverage:
    if isinstance(node, Matrix):
        weight = mapped.quantized.layers[node.name].weight
        macs = weight.numel() * vectors[node.name]
        kind = f"conv{node.window.num_axes}d" if node.window else "linear"
        if node.name in mapped.schemes:
            return NodeCoverage(node.name, kind, node.layer, "memory", "a stored matrix", macs)
        return NodeCoverage(node.name, kind, node.layer, "digital", "the configuration keeps it there", macs)
    graph = mapped.quantized.graph
    if isinstance(node, Recurrence):
        return NodeCoverage(node.name, node.cell, node.layer, "digital", "gates and states", 0)
    if not _is_product(node):
        return NodeCoverage(node.name, node.operation, node.layer, "digital", "no matrix operation", 0)
    macs = _count(graph, node, shapes)
    return NodeCoverage(node.name, node.operation, node.layer, "digital", _why_digital(graph, node), macs)


def _samples(graph: Graph) -> int:
    """The samples that shapes are measured for: 1, or the batch that the model fixes."""
    shape = graph.inputs[0].shape
    return shape[0] or 1 if shape else 1


def _is_product(node: Digital) -> bool:
    namespace, _, rest = node.operation.partition(".")
    return namespace == "aten" and rest.partition(".")[0] in _PRODUCTS


def _why_digital(graph: Graph, node: Digital) -> str:
    stored = [leaf for leaf in _leaves(node) if isinstance(leaf, TensorRef)]
    has_matrix = any(graph.tensors[leaf.name].dim() >= 2 for leaf in stored)
    return "not yet lowered to crossbars" if has_matrix else "a product of two activations"


def _count(graph: Graph, node: Digital, shapes: Shapes) -> int | None:
    """Half the operations that torch's own formulas count when the node runs alone on shapes."""
    sources = dict.fromkeys(leaf.name for leaf in _leaves(node) if isinstance(leaf, NodeRef))
    if any(name not in shapes for name in sources):
        return None
    inputs = tuple(Input(name, shapes[name], "float32") for name in sources)
    counter = FlopCounterMode(display=False)
    try:
        with counter, torch.no_grad():
            measure_shapes(Graph((*inputs, node), (node.name,), True, graph.tensors))
    except GraphError:  # its operands are no float32 numbers
        return None
    return counter.get_total_flops() // (2 * _samples(graph)) or None


def _leaves(value: object) -> list[object]:
    if isinstance(value, Digital):
        return _leaves((value.args, value.kwargs))
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, tuple) else [value]
