"""Real shapes of a graph's values for a batch size, without computing any value."""

from collections.abc import Mapping

import torch

from crossloom.graph.interpreter import Interpreter
from crossloom.graph.nodes import Graph, Input, Node, Recurrence


def measure_shapes(
    graph: Graph, batch_size: int = 1, like: tuple[tuple[int, ...], ...] | None = None
) -> Mapping[str, tuple[int, ...]]:
    """The shape of every node that gives a tensor, for a batch of `batch_size`.

    Other dynamic axes of the inputs are as long as they may be, or, with the shapes of real inputs `like`, as long as
    they are there.

    A node's own `shape` says None for an axis that follows the batch; this says how long it is, so that
    also tokens of several samples in one axis are counted (`[5 batch, out]`).

    A recurrence's matrices are told as if all steps came at once, `[time, batch, out]`.

    Raises:
        GraphError: a shape depends on values, not on shapes alone.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def observe(node: Node, value: torch.Tensor) -> None:
        shapes[node.name] = tuple(value.shape)

    sizes = [
        node.sizes(batch_size) if like is None else _sizes_like(node, like[number], batch_size)
        for number, node in enumerate(graph.inputs)
    ]
    inputs = tuple(
        torch.empty(size, dtype=getattr(torch, node.dtype), device="meta")
        for size, node in zip(sizes, graph.inputs, strict=True)
    )
    with torch.no_grad():
        Interpreter(graph)(inputs, observe=observe)
    for node in graph.nodes:
        if isinstance(
            node, Recurrence
        ):  # its matrices meet one vector at every place of the input's products
            shapes |= {
                matrix.name: (*shapes[node.source][:-1], matrix.shape[-1] or 0) for matrix in node.products
            }
    return shapes


def _sizes_like(node: Input, shape: tuple[int, ...], batch_size: int) -> tuple[int, ...]:
    """The shape of a real input, with another batch where that is dynamic."""
    return tuple(
        batch_size if size is None and axis == 0 else shape[axis] for axis, size in enumerate(node.shape)
    )
