"""The geometry of a sliding window: which inputs of an image meet one another in a product."""

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Window:
    """A window that slides over the spatial axes of an image (one entry per axis, 1 to 3 axes).

    Padding is symmetric and filled with zeros.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def num_axes(self) -> int:
        return len(self.kernel)

    @property
    def size(self) -> int:
        """Number of inputs of one channel that the window covers."""
        return prod(self.kernel)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The number of window positions along every axis of an image of this `shape`."""
        return tuple(
            (length + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for length, kernel, stride, pad, dilation in zip(
                shape, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
