"""Real shapes of a graph's values for a batch size, without computing any value."""

from collections.abc import Mapping

import torch

from crossloom.graph.interpreter import Interpreter
from crossloom.graph.nodes import Graph, Node


def measure_shapes(graph: Graph, batch_size: int = 1) -> Mapping[str, tuple[int, ...]]:
    """The shape of every node that gives a tensor, when the dynamic axes of the inputs are `batch_size`.

    A node's own `shape` says None for an axis that follows the batch; this says how long it is, so that
    also tokens of several samples in one axis are counted (`[5 batch, out]`).

    Raises:
        GraphError: a shape depends on values, not on shapes alone.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def observe(node: Node, value: torch.Tensor) -> None:
        shapes[node.name] = tuple(value.shape)

    inputs = tuple(
        torch.empty(
            [batch_size if size is None else size for size in node.shape],
            dtype=getattr(torch, node.dtype),
            device="meta",
        )
        for node in graph.inputs
    )
    with torch.no_grad():
        Interpreter(graph)(inputs, observe=observe)
    return shapes
