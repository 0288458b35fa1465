"""The numbers that go into a macro, laid out densely or as windows over an image."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch.nn import functional

from crossloom.windows import Window


class Codes(ABC):
    """A batch of integer input codes, held in a floating-point tensor.

    Results of a product with them have the shape [vector, column, *positions].
    """

    num_samples: int
    values: torch.Tensor

    @abstractmethod
    def with_values(self, values: torch.Tensor) -> "Codes":
        """Other numbers in the same layout; the first axis may be longer, by more vectors for every sample."""

    @property
    @abstractmethod
    def num_inputs(self) -> int:
        """Length of one input vector."""

    @property
    @abstractmethod
    def num_vectors(self) -> int:
        """How many input vectors there are: the number of MVMs."""

    @abstractmethod
    def part(self, start: int, stop: int) -> "Codes":
        """The inputs `start` to `stop` of every vector."""


@dataclass(frozen=True)
class DenseCodes(Codes):
    """Codes as a tensor [vector, input, *positions]: usually [vector, input]."""

    values: torch.Tensor
    num_samples: int

    def with_values(self, values: torch.Tensor) -> "DenseCodes":
        return DenseCodes(values, self.num_samples)

    @property
    def num_inputs(self) -> int:
        return self.values.shape[1]

    @property
    def num_vectors(self) -> int:
        return self.values.numel() // max(self.num_inputs, 1)

    def part(self, start: int, stop: int) -> "DenseCodes":
        whole = start == 0 and stop == self.num_inputs
        return self if whole else DenseCodes(self.values[:, start:stop], self.num_samples)


@dataclass(frozen=True)
class WindowedCodes(Codes):
    """Codes of an image [sample, channel, *spatial] that a window slides over.

    One input vector is one window position: its inputs are ordered (channel, *kernel). A chip that is fed
    from a line buffer takes them just so; `dense` lays every vector out.
    """

    values: torch.Tensor
    num_samples: int
    window: Window

    def with_values(self, values: torch.Tensor) -> "WindowedCodes":
        return WindowedCodes(values, self.num_samples, self.window)

    @property
    def num_inputs(self) -> int:
        return self.values.shape[1] * self.window.size

    @property
    def num_vectors(self) -> int:
        positions = self.window.output_shape(tuple(self.values.shape[2:]))
        return len(self.values) * torch.Size(positions).numel()

    def part(self, start: int, stop: int) -> Codes:
        size = self.window.size
        if start % size or stop % size:
            return self.dense().part(start, stop)
        if start == 0 and stop == self.num_inputs:
            return self
        return self.with_values(self.values[:, start // size : stop // size])

    def dense(self) -> DenseCodes:
        """The same codes as a tensor [sample, input, *positions]."""
        window, axes = self.window, self.window.num_axes
        pads = [pad for size in reversed(window.padding) for pad in (size, size)]
        view = functional.pad(self.values, pads)
        for axis in range(axes):
            reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1
            view = view.unfold(2 + axis, reach, window.stride[axis])[..., :: window.dilation[axis]]
        order = (0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes))
        return DenseCodes(view.permute(order).flatten(1, 1 + axes), self.num_samples)
