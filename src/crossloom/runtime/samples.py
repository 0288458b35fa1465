"""Where the samples of a batch lie in the values of a graph, so that each sample meets noise of its own.

Most models keep samples along the first axis. Attention does not: it works on [token, sample, feature], and merges
the first two axes for its output projection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch

from crossloom.errors import RunError
from crossloom.graph import Digital, Graph, Node, Recurrence, measure_shapes, node_references

_SAME_ORDER = ("view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze")


@dataclass(frozen=True)
class SampleLayout:
    """The samples lie in axis `axis`, which merges [outer, sample, inner]."""

    axis: int = 0
    outer: int = 1
    inner: int = 1


@dataclass(frozen=True)
class SampleOrder:
    """Vectors, or images, in the order [outer, sample, inner]."""

    outer: int
    num_samples: int
    inner: int

    def by_sample(self, values: torch.Tensor) -> torch.Tensor:
        """[outer * sample * inner, ...] with the samples in front."""
        return _swap(values, self.outer, self.num_samples, self.inner)

    def as_before(self, values: torch.Tensor) -> torch.Tensor:
        """The inverse of `by_sample`."""
        return _swap(values, self.num_samples, self.outer, self.inner)


def sample_order(shape: tuple[int, ...], layout: SampleLayout | None, num_samples: int) -> SampleOrder:
    """The order of values whose leading axes have this `shape`.

    Where nothing is known, samples are taken to come one after the other; values that no sample owns count as
    those of one.
    """
    number = prod(shape)
    if layout is not None:
        outer = layout.outer * prod(shape[: layout.axis])
        inner = layout.inner * prod(shape[layout.axis + 1 :])
        if outer * num_samples * inner == number:
            return SampleOrder(outer, num_samples, inner)
    owners = 1 if number % num_samples else num_samples
    return SampleOrder(1, owners, number // owners)


def sample_layouts(graph: Graph, like: tuple[tuple[int, ...], ...] | None = None) -> dict[str, SampleLayout]:
    """The layout of every node's value, where it can be told from the graph alone.

    like: shapes of inputs, where axes other than the batch are dynamic; None takes these as long as they may be.
    """
    shapes, doubled = (measure_shapes(graph, size, like) for size in (1, 2))
    layouts: dict[str, SampleLayout] = {}
    for node in graph.nodes:
        source = next((name for name in node_references(node) if name in layouts), None)
        if node.shape is None:  # a tuple: its parts are laid out as what it was made from
            found = None if source is None else layouts[source]
            if found is not None and isinstance(node, Recurrence):  # what its matrices meet is [batch, size]
                found = replace(found, axis=0)
        else:
            found = _layout(node, source, layouts, shapes, doubled)
        if found is not None:
            layouts[node.name] = found
    return layouts


def _layout(
    node: Node,
    source: str | None,
    layouts: dict[str, SampleLayout],
    shapes: Mapping[str, tuple[int, ...]],
    doubled: Mapping[str, tuple[int, ...]],
) -> SampleLayout | None:
    if node.name not in shapes:
        return None
    # The axis of samples is the one that grows with the batch; other axes may be dynamic too.
    grown = zip(shapes[node.name], doubled[node.name], strict=True)
    axes = [axis for axis, (one, two) in enumerate(grown) if one != two]
    if len(axes) != 1:
        return None
    axis, shape = axes[0], shapes[node.name]
    before = SampleLayout() if source is None else layouts[source]
    if (
        isinstance(node, Digital)
        and _name_of(node) in _SAME_ORDER
        and source is not None
        and source in shapes
    ):
        flat = before.inner * prod(shapes[source][before.axis + 1 :])
        inner, rest = divmod(flat, prod(shape[axis + 1 :]))
        return None if rest or shape[axis] % inner else SampleLayout(axis, shape[axis] // inner, inner)
    if shape[axis] == before.outer * before.inner:
        return SampleLayout(axis, before.outer, before.inner)
    return SampleLayout(axis) if shape[axis] == 1 else None


def _name_of(node: Digital) -> str:
    return node.operation.split(".")[1] if "." in node.operation else node.operation


def join(pieces: Sequence[torch.Tensor], layout: SampleLayout | None) -> torch.Tensor:
    """The values of several batches as one; RunError when they hold no samples that could be joined."""
    if not all(isinstance(piece, torch.Tensor) and piece.dim() for piece in pieces):
        raise RunError(
            "what was asked for has no axis of samples, so batches cannot be joined; give a batch_size that takes "
            "all samples at once"
        )
    layout = layout or SampleLayout()
    if layout.outer == 1:
        return torch.cat(tuple(pieces), layout.axis)
    split = [piece.unflatten(layout.axis, (layout.outer, -1, layout.inner)) for piece in pieces]
    return torch.cat(split, layout.axis + 1).flatten(layout.axis, layout.axis + 2)


def _swap(values: torch.Tensor, first: int, second: int, inner: int) -> torch.Tensor:
    if first == 1 or second == 1:
        return values
    return values.unflatten(0, (first, second, inner)).transpose(0, 1).flatten(0, 2)
