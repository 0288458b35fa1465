"""Shapes of values that only the lowered graph has, with None for every axis that follows a dynamic one."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from crossloom.graph.arguments import map_nested
from crossloom.graph.matrix import multiply
from crossloom.graph.moves import VALUE, Move
from crossloom.graph.nodes import Matrix, NodeRef, TensorRef
from crossloom.graph.tensors import TensorStore

Shape = tuple[int | None, ...]
_LENGTHS = 4099, 8209  # of dynamic axes: larger than windows, and no multiples of one another


class MovedShapes:
    """Runs operations on tensors without numbers, twice with dynamic axes of different lengths."""

    def __init__(self, shapes: Mapping[str, Shape], store: TensorStore) -> None:
        self._shapes, self._store = shapes, store

    def after_move(self, move: Move, value: NodeRef) -> Shape:
        """The shape of what a move makes of a node's value."""

        def run(length: int) -> torch.Tensor:
            def load(leaf: Any) -> Any:
                return self._load(value if leaf is VALUE else leaf, length)

            return move.operation(*map_nested(load, move.args), **dict(move.kwargs))

        return _measure(run)

    def after_matrix(self, node: Matrix) -> Shape:
        """The shape of what a matrix makes of its source."""

        def run(length: int) -> torch.Tensor:
            source, weight = (
                self._load(reference, length) for reference in (NodeRef(node.source), TensorRef(node.weight))
            )
            return multiply(node, source, weight, None)

        return _measure(run)

    def _load(self, leaf: Any, length: int) -> Any:
        if isinstance(leaf, NodeRef):
            sizes = [length if size is None else size for size in self._shapes[leaf.name]]
            return torch.empty(sizes, device="meta")
        if not isinstance(leaf, TensorRef):
            return leaf
        tensor = self._store[leaf].to("meta")
        return tensor.float() if tensor.is_floating_point() else tensor


def _measure(run: Callable[[int], torch.Tensor]) -> Shape:
    with torch.no_grad():
        first, second = (run(length).shape for length in _LENGTHS)
    return tuple(one if one == other else None for one, other in zip(first, second, strict=True))
