"""Sums of products with a stored tensor, whatever their axes, as a linear layer or a grouped convolution.

Axes are labels, as in `einsum`. Of values x and a stored w, labels that both have and the result has not are added up
(the inputs of the matrix); those that only w has are outputs; those that all three have tell groups apart, which share
no inputs; those that only x has are vectors. Without groups that is a linear layer; with groups a convolution with a
window of one entry, whose channels are groups times inputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch

from crossloom.graph.moves import VALUE, Move, flatten, permute, unflatten
from crossloom.graph.nodes import TensorRef
from crossloom.graph.tensors import TensorStore
from crossloom.windows import Window

aten = torch.ops.aten
Labels = tuple[str, ...]
Shape = tuple[int | None, ...]
_MOST_AXES = 3


@dataclass(frozen=True)
class Contracted:
    """A linear layer (`window` None), or a convolution with windows of one entry, and moves before and after."""

    weight: TensorRef
    window: Window | None
    groups: int
    before: tuple[Move, ...]
    after: tuple[Move, ...]


def contract(
    shape: Shape, values: Labels, weight: TensorRef, stored: Labels, result: Labels, store: TensorStore
) -> Contracted | None:
    """`einsum(values, stored -> result)` with values of this shape; None where crossbars cannot do it.

    That is where an axis is taken twice, nothing is added up, or sums run over dynamic axes.
    """
    if any(len(set(labels)) < len(labels) for labels in (values, stored, result)):
        return None
    tensor, sizes = store[weight], dict(zip(values, shape, strict=True))
    widths = dict(zip(stored, tensor.shape, strict=True))
    dropped = _dropped(sizes, widths, result)
    # A group alone is no group: what it holds is a linear layer.
    alone = {label for label in values if label in result and widths.get(label) == 1} - dropped
    tensor, stored = _sum_stored(tensor, stored, _dropped(widths, sizes, result) | alone)
    values, first = _sum_values(values, dropped)
    both = [label for label in values if label in stored]
    if any(sizes[label] != widths[label] for label in both):
        return None
    groups = tuple(label for label in both if label in result)
    inputs = tuple(label for label in stored if label in both and label not in result)
    outputs = tuple(label for label in result if label in stored and label not in both)
    vectors = tuple(label for label in values if label not in both)
    if not inputs or set(result) != {*groups, *outputs, *vectors}:
        return None
    weights = tensor.permute([stored.index(label) for label in (*groups, *outputs, *inputs)])
    plan = _Plan(values, result, vectors, groups, inputs, outputs, widths, sizes)
    flat = weights.reshape(plan.size(groups) * plan.size(outputs), plan.size(inputs))
    return plan.grouped(weight, flat, first, store) if groups else plan.linear(weight, flat, first, store)


@dataclass(frozen=True)
class _Plan:
    """The labels of one contraction by what they do."""

    values: Labels
    result: Labels
    vectors: Labels
    groups: Labels
    inputs: Labels
    outputs: Labels
    widths: Mapping[str, int]
    sizes: Mapping[str, int | None]

    def size(self, labels: Labels) -> int:
        return prod(self.widths[label] for label in labels)

    def linear(
        self, weight: TensorRef, flat: torch.Tensor, before: tuple[Move, ...], store: TensorStore
    ) -> Contracted:
        num_vectors = len(self.vectors)
        before += self._order((*self.vectors, *self.inputs))
        before += flatten("joined", num_vectors, len(self.inputs))
        before += () if self.vectors else (Move("row", aten.unsqueeze.default, (VALUE, 0)),)
        after = () if self.vectors else (Move("vector", aten.squeeze.dim, (VALUE, 0)),)
        if self.outputs:
            after += unflatten("split", num_vectors, tuple(self.widths[label] for label in self.outputs))
        else:
            after += (Move("value", aten.squeeze.dim, (VALUE, -1)),)
        after += self._back((*self.vectors, *self.outputs))
        return Contracted(store.derive(weight, f"{weight.name}.matrix", flat), None, 1, before, after)

    def grouped(
        self, weight: TensorRef, flat: torch.Tensor, before: tuple[Move, ...], store: TensorStore
    ) -> Contracted | None:
        batch, rest = self._batch()
        num_axes = max(len(rest), 1)
        if num_axes > _MOST_AXES:
            return None
        before += self._order((*batch, *self.groups, *self.inputs, *rest))
        before += () if batch else (Move("image", aten.unsqueeze.default, (VALUE, 0)),)
        before += flatten("channels", 1, len(self.groups) + len(self.inputs))
        before += () if rest else (Move("position", aten.unsqueeze.default, (VALUE, -1)),)
        after = () if rest else (Move("channels.out", aten.squeeze.dim, (VALUE, -1)),)
        channels = tuple(self.widths[label] for label in (*self.groups, *self.outputs))
        after += unflatten("split", 1, channels)
        after += () if batch else (Move("groups", aten.squeeze.dim, (VALUE, 0)),)
        after += self._back((*batch, *self.groups, *self.outputs, *rest))
        ones, zeros = (1,) * num_axes, (0,) * num_axes
        shaped = flat.reshape(*flat.shape, *ones)
        window = Window(ones, ones, zeros, ones)
        stored = store.derive(weight, f"{weight.name}.groups", shaped)
        return Contracted(stored, window, self.size(self.groups), before, after)

    def _batch(self) -> tuple[Labels, Labels]:
        """The axis of samples, where there is one, and the other axes of vectors."""
        dynamic = [label for label in self.vectors if self.sizes[label] is None]
        batch = (dynamic or list(self.vectors))[:1]
        return tuple(batch), tuple(label for label in self.vectors if label not in batch)

    def _order(self, wanted: Labels) -> tuple[Move, ...]:
        return permute("ordered", tuple(self.values.index(label) for label in wanted))

    def _back(self, given: Labels) -> tuple[Move, ...]:
        return permute("back", tuple(given.index(label) for label in self.result))


def _dropped(own: Mapping[str, int | None], other: Mapping[str, int | None], result: Labels) -> set[str]:
    """Labels over which one operand is added up first: what it alone has, and axes of one entry that the other has
    longer."""
    single = {label for label, size in own.items() if size == 1 and other.get(label, 1) != 1}
    longer = {label for label, size in own.items() if size != 1 and other.get(label) == 1}
    return single | {
        label for label in own if label not in result and (label not in other or label in longer)
    }


def _sum_values(labels: Labels, dropped: set[str]) -> tuple[Labels, tuple[Move, ...]]:
    axes = tuple(axis for axis, label in enumerate(labels) if label in dropped)
    kept = tuple(label for label in labels if label not in dropped)
    return kept, (Move("sum", aten.sum.dim_IntList, (VALUE, axes)),) if axes else ()


def _sum_stored(tensor: torch.Tensor, labels: Labels, dropped: set[str]) -> tuple[torch.Tensor, Labels]:
    axes = [axis for axis, label in enumerate(labels) if label in dropped]
    kept = tuple(label for label in labels if label not in dropped)
    return (tensor.sum(axes) if axes else tensor), kept
