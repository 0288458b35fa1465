"""Digital operations around a matrix that bring values into its layout and out of it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

aten = torch.ops.aten
VALUE = object()
"""In a move's arguments: the value that is moved."""


@dataclass(frozen=True)
class Move:
    """One ATen operation on `VALUE`; `name` is what its node adds to the matrix's name."""

    name: str
    operation: torch._ops.OpOverload
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def permute(name: str, order: tuple[int, ...]) -> tuple[Move, ...]:
    """Axes in another order; nothing where that is the order they have."""
    if order == tuple(range(len(order))):
        return ()
    return (Move(name, aten.permute.default, (VALUE, order)),)


def flatten(name: str, first: int, num_axes: int) -> tuple[Move, ...]:
    """`num_axes` axes from `first` on become one; nothing for one axis."""
    if num_axes == 1:
        return ()
    return (Move(name, aten.flatten.using_ints, (VALUE, first, first + num_axes - 1)),)


def unflatten(name: str, axis: int, sizes: tuple[int, ...]) -> tuple[Move, ...]:
    """One axis becomes several; nothing for one size."""
    return () if len(sizes) == 1 else (Move(name, aten.unflatten.int, (VALUE, axis, sizes)),)


def pad(name: str, sides: tuple[tuple[int, int], ...]) -> tuple[Move, ...]:
    """Zeros before and after the last axes (one pair for each); what is below zero is cut off instead.

    Zeros come first, so that an axis may lose on one side more than it had.
    """
    zeros = tuple((max(left, 0), max(right, 0)) for left, right in sides)
    cuts = tuple((min(left, 0), min(right, 0)) for left, right in sides)
    return tuple(
        Move(name, aten.constant_pad_nd.default, (VALUE, _last_axis_first(amounts), 0.0))
        for amounts in (zeros, cuts)
        if any(map(any, amounts))
    )


def _last_axis_first(sides: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    return tuple(amount for pair in reversed(sides) for amount in pair)
