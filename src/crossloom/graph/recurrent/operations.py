"""Recurrent layers as operations of an exported program, with shapes that leave time dynamic.

torch's own `aten.lstm` fixes the number of steps when it is exported, and cannot say that sequences have lengths.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from crossloom.graph.recurrent.arranging import DIRECTIONS, Direction, arrange
from crossloom.graph.recurrent.cells import CELLS
from crossloom.graph.recurrent.running import check_lengths, run_steps


@torch.library.custom_op("crossloom::layers", mutates_args=())
def layers(
    source: Tensor,
    lengths: Tensor | None,
    states: list[Tensor],
    weights: list[Tensor],
    cell: str,
    num_layers: int,
    direction: str,
    time_axis: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Recurrent layers, one upon another: outputs, last hidden states, and last cell states.

    The last are empty where a cell has none.

    source: [time, batch, in], or [batch, time, in] where `time_axis` is 1.  lengths: [batch].
    states: first states [layer and direction, batch, size], none for zeros.  weights: see `arrange`.
    """
    if lengths is not None:
        check_lengths(cell, lengths, source.shape[time_axis])
    values, ends, beside = source, [], []
    for number, part in enumerate(arrange(weights, cell, num_layers, direction, cut_tensor)):
        start = [state[number] for state in states] or _zeros(part, cell, source, time_axis)
        products = [partial(functional.linear, weight=weight, bias=bias) for weight, bias in part.products]
        given = functional.linear(values, *part.given)
        outputs, *end = run_steps(cell, given, tuple(start), lengths, products, time_axis, part.is_reversed)
        ends.append(end)
        beside.append(outputs)
        if len(beside) == len(DIRECTIONS[direction]):
            values, beside = torch.cat(beside, -1), []
    hidden, *cells = (torch.stack(parts) for parts in zip(*ends, strict=True))
    return values, hidden, cells[0] if cells else source.new_empty(0)


@layers.register_fake
def _(source, lengths, states, weights, cell, num_layers, direction, time_axis):
    parts = arrange(weights, cell, num_layers, direction, cut_tensor)
    sizes = state_sizes(parts[0], cell, lambda weight: tuple(weight.shape))
    outputs = source.new_empty(*source.shape[:-1], sizes[0] * len(DIRECTIONS[direction]))
    ends = [source.new_empty(len(parts), source.shape[1 - time_axis], size) for size in sizes]
    return outputs, ends[0], ends[1] if len(ends) > 1 else source.new_empty(0)


@torch.library.custom_op("crossloom::pack", mutates_args=())
def pack(source: Tensor, lengths: Tensor, time_axis: int) -> tuple[Tensor, Tensor]:
    """Marks padded sequences as packed, [time, batch, in]; the second value stands where torch has batch sizes."""
    raise NotImplementedError("packed sequences exist only while a model is captured")


@pack.register_fake
def _(source, lengths, time_axis):
    return torch.empty_like(source.movedim(time_axis, 0)), lengths.new_empty(1)


@torch.library.custom_op("crossloom::unpack", mutates_args=())
def unpack(
    packed: Tensor, lengths: Tensor, time_axis: int, padding: float, num_steps: int
) -> tuple[Tensor, Tensor]:
    """Padded sequences of `num_steps` steps again, and their lengths."""
    raise NotImplementedError("packed sequences exist only while a model is captured")


@unpack.register_fake
def _(packed, lengths, time_axis, padding, num_steps):
    values = packed.new_empty(num_steps, *packed.shape[1:])
    return values.movedim(0, time_axis).contiguous(), lengths.new_empty(packed.shape[1])


@torch.library.custom_op("crossloom::fill_ends", mutates_args=())
def fill_ends(source: Tensor, lengths: Tensor, time_axis: int, padding: float) -> Tensor:
    """`padding` in place of what lies beyond the lengths of sequences."""
    check_lengths("pad_packed_sequence", lengths, source.shape[time_axis])
    steps = torch.arange(source.shape[time_axis], device=source.device)
    lengths = lengths.to(source.device)
    ended = lengths.unsqueeze(1) <= steps if time_axis else lengths <= steps.unsqueeze(1)
    return source.masked_fill(ended.unsqueeze(-1), padding)


@fill_ends.register_fake
def _(source, lengths, time_axis, padding):
    return torch.empty_like(source)


OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "crossloom.layers.default": torch.ops.crossloom.layers.default,
    "crossloom.fill_ends.default": torch.ops.crossloom.fill_ends.default,
}
"""What digital nodes may call, by `Digital.operation`."""


def state_sizes(part: Direction, cell: str, shape: Callable[[Any], Any]) -> tuple[int, ...]:
    """How long each part of the state is, where `shape` tells a weight's."""
    hidden = shape(part.given[0])[0] // CELLS[cell].num_gates
    shown = shape(part.products[0][0])[1]
    return (shown, hidden)[: CELLS[cell].num_states]


def cut_tensor(weight: Tensor, is_last: bool) -> Tensor:
    """The first two thirds along axis 0, or the last."""
    third = len(weight) // 3
    return weight[2 * third :] if is_last else weight[: 2 * third]


def _zeros(part: Direction[Tensor], cell: str, source: Tensor, time_axis: int) -> list[Tensor]:
    sizes = state_sizes(part, cell, lambda weight: tuple(weight.shape))
    return [source.new_zeros(source.shape[1 - time_axis], size) for size in sizes]
