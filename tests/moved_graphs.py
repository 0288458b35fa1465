"""Graphs of one matrix with digital moves around it, made without tracing, so that laws can try many."""

from typing import Any

import torch

from crossloom.graph import Digital, Graph, Input, Matrix, NodeRef, TensorRef, interpret
from crossloom.graph.moves import VALUE, Move
from crossloom.graph.references import map_leaves
from crossloom.graph.tensors import TensorStore
from crossloom.windows import Window


def moved_graph(
    source: torch.Tensor,
    weight: TensorRef,
    bias: TensorRef | None,
    window: Window | None,
    groups: int,
    moves: tuple[tuple[Move, ...], tuple[Move, ...]],
    store: TensorStore,
    others: dict[str, torch.Tensor] | None = None,
    name: str = "x",
) -> Graph:
    """Moves, the matrix, moves, on an input `name` of the shape of `source`, and further inputs for what moves name."""
    nodes: list[Any] = [Input(name, (None, *source.shape[1:]), "float32")]
    nodes += [Input(more, (None, *other.shape[1:]), "float32") for more, other in (others or {}).items()]

    def add(move: Move) -> None:
        last = NodeRef(name if isinstance(nodes[-1], Input) else nodes[-1].name)
        args = map_leaves(lambda leaf: last if leaf is VALUE else leaf, move.args)
        nodes.append(
            Digital(f"{len(nodes)}", str(move.operation), args, tuple(move.kwargs.items()), "layer", None)
        )

    for move in moves[0]:
        add(move)
    before = name if isinstance(nodes[-1], Input) else nodes[-1].name
    nodes.append(
        Matrix("layer", before, weight.name, bias and bias.name, window, groups, None, "layer", (None,))
    )
    for move in moves[1]:
        add(move)
    tensors = {
        held: store[TensorRef(held)].clone(memory_format=torch.contiguous_format) for held in store.names
    }
    return _with_shapes(
        Graph(tuple(nodes), (nodes[-1].name,), True, tensors), (source, *(others or {}).values())
    )


def _with_shapes(graph: Graph, inputs: tuple[torch.Tensor, ...]) -> Graph:
    """The graph with every node's real shape; the axis that follows the batch is dynamic where that is the first."""
    shapes: dict[str, tuple[int | None, ...]] = {}

    def observe(node: Any, value: torch.Tensor) -> None:
        first = None if value.shape[0] == len(inputs[0]) else value.shape[0]
        shapes[node.name] = (first, *value.shape[1:])

    interpret(graph, inputs, observe=observe)
    nodes = tuple(
        node if isinstance(node, Input) else type(node)(**{**vars(node), "shape": shapes[node.name]})
        for node in graph.nodes
    )
    return Graph(nodes, graph.outputs, graph.single_output, graph.tensors)
