"""From calls of the operations of this package to nodes of the graph."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import fx

from crossloom.errors import UnsupportedOperationError
from crossloom.graph.names import layer_of
from crossloom.graph.nodes import Digital, Matrix, NodeRef, Recurrence, TensorRef
from crossloom.graph.recurrent.arranging import DIRECTIONS, Direction, arrange
from crossloom.graph.recurrent.builder import Builder, Reference, Shape
from crossloom.graph.recurrent.operations import cut_tensor, state_sizes
from crossloom.graph.recurrent.packed import (
    NoBatchSizes,
    Packed,
    lower_pack,
    lower_unpack,
    sorted_as,
    unsorted_as,
)

aten, own = torch.ops.aten, torch.ops.crossloom
_OWN = (own.layers.default, own.pack.default, own.unpack.default)
_NAMES = ("outputs", "hidden", "cell")
_ZEROS = ("aten.zeros.", "aten.zeros_like.", "aten.new_zeros.")
_MOVES = frozenset(
    f"aten.{name}"
    for name in (
        "expand.default",
        "index_select.default",
        "permute.default",
        "select.int",
        "slice.Tensor",
        "transpose.int",
        "unsqueeze.default",
    )
)


def is_recurrent(target: Any) -> bool:
    """Whether `lower_recurrent` knows this operation."""
    return target in _OWN


def lower_recurrent(builder: Builder, node: fx.Node, args: tuple) -> tuple[Any, ...]:
    """The values of a call whose arguments are references.

    Raises UnsupportedOperationError for packed sequences that torch would not have packed here.
    """
    if node.target is own.layers.default:
        return _Layers(builder, node, args).run()
    if node.target is own.pack.default:
        return lower_pack(builder, node, args)
    if not isinstance(args[0], Packed):
        raise UnsupportedOperationError(
            "pad_packed_sequence of what is no packed sequence; give it the output of a recurrent layer"
        )
    return lower_unpack(builder, node, args)


def check_unpacked(operation: str, place: str, values: Iterable[Any]) -> None:
    """Raise UnsupportedOperationError where any other operation takes a packed sequence apart."""
    if any(isinstance(value, Packed | NoBatchSizes) for value in values):
        raise UnsupportedOperationError(
            f"{operation}{place} takes a packed sequence; only recurrent layers and pad_packed_sequence can: unpack it "
            "before, or give padded sequences"
        )


class _Layers:
    """One call of `crossloom::layers`: matrices and recurrences, or one digital node where weights are computed."""

    def __init__(self, builder: Builder, node: fx.Node, args: tuple) -> None:
        source, lengths, states, weights, self.cell, self.num_layers, self.direction, self.time_axis = args
        self.builder, self.layer = builder, layer_of(node)
        self.packed = source if isinstance(source, Packed) else None
        if isinstance(source, Packed):
            lengths, self.time_axis = source.lengths, source.time_axis
        self.source: Reference = source.source if isinstance(source, Packed) else source
        self.lengths, self.states, self.weights = lengths, tuple(states), tuple(weights)
        self.shape = builder.shape(self.source)
        self.batch = self.shape[1 - self.time_axis]

    def run(self) -> tuple[Any, ...]:
        is_stored = all(isinstance(weight, TensorRef) for weight in self.weights)
        if not is_stored or not isinstance(self.source, NodeRef):
            return self._digitally()
        parts = arrange(self.weights, self.cell, self.num_layers, self.direction, self._cut)
        sizes = state_sizes(parts[0], self.cell, self.builder.shape)
        values, beside, ends = self.source, [], []
        for number, part in enumerate(parts):
            start = tuple(self._start(state, number) for state in self.states) or (None,) * len(sizes)
            outputs, *end = self._one(part, values, start, sizes)
            beside.append(outputs)
            ends.append(end)
            if len(beside) == len(DIRECTIONS[self.direction]):
                values, beside = self._beside(beside, part.layer), []
        stacked = [
            self._stacked(kind, parts)
            for kind, parts in zip(_NAMES[1:], zip(*ends, strict=True), strict=False)
        ]
        return self._given_back(values, stacked)

    def _one(
        self, part: Direction[TensorRef], source: NodeRef, start: tuple, sizes: tuple[int, ...]
    ) -> list[NodeRef]:
        """Outputs and last state of one layer in one direction."""
        name = self.builder.name(self.layer, part.suffix)
        given = self._matrix(
            self.builder.name(self.layer, f"ih_{part.suffix}"), source.name, part.given, self.shape[:2]
        )
        self.builder.append(given, given.shape)
        kinds = ("hh", "hr" if self.cell == "lstm" else "hn")
        products = tuple(
            self._matrix(
                self.builder.inner_name(self.layer, f"{kind}_{part.suffix}"), name, weights, (self.batch,)
            )
            for kind, weights in zip(kinds, part.products, strict=False)
        )
        node = Recurrence(
            name=name,
            cell=self.cell,
            source=given.name,
            start=start,
            sizes=sizes,
            products=products,
            lengths=self.lengths,
            time_axis=self.time_axis,
            is_reversed=part.is_reversed,
            layer=self.layer,
        )
        value = self.builder.append(node, ())
        shapes = ((*self.shape[:2], sizes[0]), *((self.batch, size) for size in sizes))
        return [
            self.builder.digital(self.layer, f"{part.suffix}.{kind}", "getitem", (value, number), shape)
            for number, (kind, shape) in enumerate(zip(_NAMES, shapes, strict=False))
        ]

    def _matrix(
        self, name: str, source: str, weights: tuple[TensorRef, TensorRef | None], leading: Shape
    ) -> Matrix:
        weight, bias = weights
        shape = (*leading, self.builder.shape(weight)[0])
        return Matrix(name, source, weight.name, bias and bias.name, None, 1, None, self.layer, shape)

    def _start(self, state: Reference, number: int) -> NodeRef | None:
        """The first state of one layer and direction; None for zeros."""
        if self._is_zero(state):
            return None
        state = unsorted_as(self.builder, self.packed, self.layer, state)
        arguments, shape = (state, 0, number), self.builder.shape(state)[1:]
        return self.builder.digital(self.layer, "state", aten.select.int, arguments, shape)

    def _is_zero(self, state: Any) -> bool:
        if isinstance(state, TensorRef):
            return not self.builder.store[state].any()
        node = self.builder.nodes[state.name]
        if not isinstance(node, Digital):
            return False
        if node.operation in _MOVES:
            return not isinstance(node.args[0], tuple) and self._is_zero(node.args[0])
        return node.operation.startswith(_ZEROS)

    def _beside(self, outputs: list[NodeRef], layer: int) -> NodeRef:
        """Both directions along the last axis."""
        if len(outputs) == 1:
            return outputs[0]
        size = sum(self.builder.shape(output)[-1] or 0 for output in outputs)
        arguments, shape = (tuple(outputs), -1), (*self.shape[:2], size)
        return self.builder.digital(self.layer, f"l{layer}.both", aten.cat.default, arguments, shape)

    def _stacked(self, kind: str, parts: tuple[NodeRef, ...]) -> NodeRef:
        """Last states of all layers and directions."""
        shape = (len(parts), *self.builder.shape(parts[0]))
        value = self.builder.digital(self.layer, kind, aten.stack.default, (parts, 0), shape)
        return sorted_as(self.builder, self.packed, self.layer, value)

    def _digitally(self) -> tuple[Any, ...]:
        """The call as it is, in one node."""
        parts = arrange(self.weights, self.cell, self.num_layers, self.direction, lambda weight, _: weight)
        sizes = state_sizes(parts[0], self.cell, self.builder.shape)
        states = tuple(unsorted_as(self.builder, self.packed, self.layer, state) for state in self.states)
        choices = (self.cell, self.num_layers, self.direction, self.time_axis)
        arguments = (self.source, self.lengths, states, self.weights, *choices)
        value = self.builder.digital(self.layer, self.cell, own.layers.default, arguments, None)
        outputs = (*self.shape[:2], sizes[0] * len(DIRECTIONS[self.direction]))
        shapes = (outputs, *((len(parts), self.batch, size) for size in sizes))
        first, *ends = (
            self.builder.digital(self.layer, name, "getitem", (value, number), shape)
            for number, (name, shape) in enumerate(zip(_NAMES, shapes, strict=False))
        )
        return self._given_back(
            first, [sorted_as(self.builder, self.packed, self.layer, end) for end in ends]
        )

    def _given_back(self, outputs: NodeRef, ends: list[NodeRef]) -> tuple[Any, ...]:
        """Three values, as the operation gives them; packed if its input was."""
        value: Any = outputs
        if self.packed:
            found = self.packed
            value = Packed(outputs, found.lengths, found.given, found.time_axis, found.order, True)
        return value, *ends, *(None,) * (2 - len(ends))

    def _cut(self, weight: TensorRef, is_last: bool) -> TensorRef:
        cut = cut_tensor(self.builder.store[weight], is_last)
        return self.builder.store.derive(weight, "new" if is_last else "gates", cut)
