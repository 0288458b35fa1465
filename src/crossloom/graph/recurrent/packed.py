"""Packed sequences: padded ones with their lengths, in the order in which the samples came."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from crossloom.errors import UnsupportedOperationError
from crossloom.graph.names import layer_of
from crossloom.graph.nodes import NodeRef
from crossloom.graph.recurrent.builder import Builder, Reference

aten, own = torch.ops.aten, torch.ops.crossloom


@dataclass(frozen=True, repr=False)
class Packed:
    """Sequences that torch would have packed.

    lengths: in the order in which samples came.  given: as torch was given them.  order: by which torch has the samples
    sorted, None where it has not.  has_zeros: whether zeros lie beyond the lengths.
    """

    source: NodeRef
    lengths: Reference
    given: Reference
    time_axis: int
    order: NodeRef | None
    has_zeros: bool = False

    def __repr__(self) -> str:
        return "a packed sequence"


class NoBatchSizes:
    """Stands where torch has the batch sizes of a packed sequence; nothing else may use it."""


def lower_pack(builder: Builder, node: fx.Node, args: tuple) -> tuple[Packed, NoBatchSizes]:
    """The value of `crossloom::pack`; no node."""
    source, given, time_axis = args
    lengths, order = given, None
    if (found := _sorting(node)) is not None:
        source, lengths, order = (builder.value_of(part) for part in found)
    if not isinstance(source, NodeRef):
        raise UnsupportedOperationError(
            "pack_padded_sequence of a constant; give the sequences as an input of the model"
        )
    return Packed(source, lengths, given, time_axis, order), NoBatchSizes()


def lower_unpack(builder: Builder, node: fx.Node, args: tuple) -> tuple[NodeRef, Reference]:
    """The padded sequences and their lengths, as torch has them sorted."""
    packed, _, time_axis, padding, num_steps = args
    layer, value, shape = layer_of(node), packed.source, builder.shape(packed.source)
    if padding or not packed.has_zeros:
        arguments = (value, packed.lengths, packed.time_axis, padding)
        value = builder.digital(layer, "fill_ends", own.fill_ends.default, arguments, shape)
    if isinstance(num_steps, int) and num_steps != shape[packed.time_axis]:
        value = _resized(builder, layer, value, packed.time_axis, num_steps, padding)
    if packed.time_axis != time_axis:
        first, second, *rest = builder.shape(value)
        value = builder.digital(layer, "transpose", aten.transpose.int, (value, 0, 1), (second, first, *rest))
    if packed.order is not None:
        arguments = (value, 1 - time_axis, packed.order)
        value = builder.digital(layer, "sort", aten.index_select.default, arguments, builder.shape(value))
    return value, packed.given


def _resized(
    builder: Builder, layer: str, value: NodeRef, axis: int, num_steps: int, padding: float
) -> NodeRef:
    shape = builder.shape(value)
    now, after = shape[axis], (*shape[:axis], num_steps, *shape[axis + 1 :])
    if now is None:
        raise UnsupportedOperationError(
            "pad_packed_sequence: where the padded length of the input is dynamic, total_length must be that length; "
            "write total_length=x.shape[1]"
        )
    if num_steps < now:
        return builder.digital(layer, "slice", aten.slice.Tensor, (value, axis, 0, num_steps), after)
    ends = (0, 0) * (2 - axis) + (0, num_steps - now)
    return builder.digital(layer, "pad", aten.constant_pad_nd.default, (value, ends, padding), after)


def sorted_as(builder: Builder, packed: Packed | None, layer: str, state: NodeRef) -> NodeRef:
    """A state [layer, batch, size] as torch has the samples sorted."""
    if packed is None or packed.order is None:
        return state
    arguments = (state, 1, packed.order)
    return builder.digital(layer, "sort", aten.index_select.default, arguments, builder.shape(state))


def unsorted_as(builder: Builder, packed: Packed | None, layer: str, state: Reference) -> Reference:
    """The inverse of `sorted_as`."""
    if packed is None or packed.order is None:
        return state
    shape = builder.shape(state)
    back = builder.digital(layer, "unsort", aten.argsort.default, (packed.order,), (shape[1],))
    return builder.digital(layer, "state", aten.index_select.default, (state, 1, back), shape)


def _sorting(node: fx.Node) -> Any:
    """Source, lengths and order before torch sorted samples by their lengths (enforce_sorted=False), else None."""
    source, lengths, time_axis = node.args
    if not _calls(source, aten.index_select.default) or source.args[1] != 1 - time_axis:  # type: ignore[union-attr, operator]
        return None
    order, sort = source.args[2], lengths.args[0] if isinstance(lengths, fx.Node) and lengths.args else None  # type: ignore[union-attr]
    if not _calls(sort, aten.sort.default) or not isinstance(order, fx.Node) or order.args[:2] != (sort, 1):
        return None
    return source.args[0], sort.args[0], order  # type: ignore[union-attr]


def _calls(node: Any, operation: Any) -> bool:
    return isinstance(node, fx.Node) and node.target is operation
