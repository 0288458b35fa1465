"""Transposed convolutions as ordinary ones whose output channels hold all phases of the output.

Of y[o] = sum over i s + k d = o of x[i] w[k], with stride s and dilation d, the outputs o = q s + r of one phase r are
y[q s + r] = sum over k with k d = m s + r of x[q - m] w[k]: a convolution of stride 1. All phases are output channels
of one convolution, so everything is added up where it always is, in columns of cells; then the digital unit puts
phases beside one another and cuts the edges (sub-pixel convolution: Shi et al., CVPR 2016; for strides, dilations and
kernels of every size here). Phases that no entry of the kernel reaches take no cells.
"""

from dataclasses import dataclass
from math import gcd, prod
from typing import Any

import torch

from crossloom.graph.moves import VALUE, Move, flatten, pad, permute, unflatten
from crossloom.graph.nodes import TensorRef
from crossloom.graph.tensors import TensorStore
from crossloom.windows import Window

aten = torch.ops.aten


@dataclass(frozen=True)
class Axis:
    """One axis of a transposed convolution. `step` is the dilation of the window over x, `taps` its kernel."""

    kernel: int
    stride: int
    padding: int
    output_padding: int
    dilation: int

    @property
    def distances(self) -> range:
        """k d for every entry k of the kernel."""
        return range(0, self.kernel * self.dilation, self.dilation)

    @property
    def phases(self) -> tuple[int, ...]:
        """The phases r that some entry reaches, in order."""
        return tuple(sorted({distance % self.stride for distance in self.distances}))

    @property
    def reach(self) -> int:
        """The largest m."""
        return self.distances[-1] // self.stride

    @property
    def step(self) -> int:
        return gcd(*(distance // self.stride for distance in self.distances)) or 1

    @property
    def taps(self) -> int:
        return self.reach // self.step + 1

    @property
    def places(self) -> list[int]:
        """Where every entry of the kernel goes in [phase * taps]. Windows run forward, so the largest m is first."""
        numbers = {phase: number for number, phase in enumerate(self.phases)}
        return [
            numbers[distance % self.stride] * self.taps
            + self.taps - 1 - distance // self.stride // self.step
            for distance in self.distances
        ]  # fmt: skip

    @property
    def sides(self) -> tuple[int, int]:
        """Zeros before and after x, so that windows give just the q that are needed."""
        return self.reach - self.padding // self.stride, self._end // self.stride

    @property
    def crop(self) -> tuple[int, int]:
        """Outputs of the first and of the last q that are too many, as padding below zero."""
        return -(self.padding % self.stride), self._end % self.stride + 1 - self.stride

    @property
    def _end(self) -> int:
        """The last output, counted from that which x's last entry reaches first."""
        return self.distances[-1] + self.output_padding - self.padding


@dataclass(frozen=True)
class Transposed:
    """What a transposed convolution becomes: a convolution, and moves before and after."""

    weight: TensorRef
    bias: TensorRef | None
    window: Window
    before: tuple[Move, ...]
    after: tuple[Move, ...]


def as_convolution(
    weight: TensorRef, bias: TensorRef | None, groups: int, axes: tuple[Axis, ...], store: TensorStore
) -> Transposed:
    """The convolution for a weight [in, out / groups, *kernel] and a bias [out]."""
    phases = tuple(len(axis.phases) for axis in axes)
    missing = any(count < axis.stride for count, axis in zip(phases, axes, strict=True))
    left_over, padding = _split_padding(axes)
    window = Window(
        kernel=tuple(axis.taps for axis in axes),
        stride=(1,) * len(axes),
        padding=padding,
        dilation=tuple(axis.step for axis in axes),
    )
    after = _interleave(store[weight].shape[1] * groups, phases, axes, weight, store)
    after += pad("crop", tuple(axis.crop for axis in axes))
    if bias is not None and missing:
        shaped = store[bias].reshape(-1, *[1] * len(axes))
        after += (Move("shift", aten.add.Tensor, (VALUE, store.derive(bias, f"{bias.name}.shift", shaped))),)
        bias = None
    elif bias is not None and prod(phases) > 1:
        bias = store.derive(bias, f"{bias.name}.phases", store[bias].repeat_interleave(prod(phases)))
    phased = store.derive(weight, f"{weight.name}.phases", _phase_weight(store[weight], groups, axes))
    return Transposed(phased, bias, window, pad("pad", left_over), after)


def _phase_weight(weight: torch.Tensor, groups: int, axes: tuple[Axis, ...]) -> torch.Tensor:
    """[in, out / groups, *kernel] to [out * phases, in / groups, *taps]; outputs stay in order, phases within each."""
    spread = weight.unflatten(0, (groups, -1)).transpose(1, 2)
    for number, axis in enumerate(axes):
        place = 3 + 2 * number
        shape = list(spread.shape)
        shape[place] = len(axis.phases) * axis.taps
        index = torch.tensor(axis.places, device=weight.device)
        spread = spread.new_zeros(shape).index_copy(place, index, spread)
        spread = spread.unflatten(place, (len(axis.phases), axis.taps))
    order = (0, 1, *range(3, spread.ndim, 2), 2, *range(4, spread.ndim, 2))
    return spread.permute(order).flatten(0, 1 + len(axes)).contiguous()


def _split_padding(axes: tuple[Axis, ...]) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """What a window's symmetric padding cannot say, and what it can."""
    padding = tuple(max(min(axis.sides), 0) for axis in axes)
    rest = tuple(
        (axis.sides[0] - zeros, axis.sides[1] - zeros) for axis, zeros in zip(axes, padding, strict=True)
    )
    return rest, padding


def _interleave(
    num_outputs: int, phases: tuple[int, ...], axes: tuple[Axis, ...], weight: TensorRef, store: TensorStore
) -> tuple[Move, ...]:
    """[batch, out * phases, *q] to [batch, out, *(q * stride)]."""
    if all(axis.stride == 1 for axis in axes):
        return ()
    num_axes = len(axes)
    moves: tuple[Move, ...] = unflatten("phases", 1, (num_outputs, *phases))
    for number, axis in enumerate(axes):
        if phases[number] < axis.stride:
            moves += _fill(number, axis, num_axes, weight, store)
    pairs = tuple(place for number in range(num_axes) for place in (2 + num_axes + number, 2 + number))
    moves += permute("interleaved", (0, 1, *pairs))
    for number in range(num_axes):
        moves += flatten(f"axis{number}", 2 + number, 2)
    return moves


def _fill(number: int, axis: Axis, num_axes: int, weight: TensorRef, store: TensorStore) -> tuple[Move, ...]:
    """Zeros for the phases that no entry of the kernel reaches."""
    sides = tuple((0, int(place == number)) for place in range(num_axes)) + ((0, 0),) * num_axes
    index = [axis.phases.index(r) if r in axis.phases else len(axis.phases) for r in range(axis.stride)]
    chosen = store.derive(
        weight, f"{weight.name}.axis{number}.phases", torch.tensor(index, device=store[weight].device)
    )
    select: Any = aten.index_select.default
    return (
        *pad(f"axis{number}.zeros", sides),
        Move(f"axis{number}.phases", select, (VALUE, 2 + number, chosen)),
    )
