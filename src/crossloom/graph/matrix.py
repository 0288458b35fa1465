"""How matrix nodes are computed in floating point, on any device."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from crossloom.graph.nodes import Graph, Matrix

MatrixFunction = Callable[[Matrix, Tensor], Tensor]
"""Computes a matrix node, bias and activation included, from its input."""

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu}
"""Digital operations that can follow a matrix, by `Matrix.activation`."""

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


class LocatedTensors(Mapping[str, Tensor]):
    """A graph's tensors on one device; each moves there once, when it is first used."""

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        self._tensors, self._device = tensors, device
        self._moved: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._moved:
            self._moved[name] = self._tensors[name].to(self._device)
        return self._moved[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def multiply(node: Matrix, source: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The product of a matrix node without its activation: a linear layer or a convolution.

    Args:
        source: `[..., in]`, or `[batch, in, *image]` with a window.
        weight: `[out, in]`, or `[out, in / groups, *kernel]` with a window.
        bias: `[out]` or None.

    Returns:
        `[..., out]`, or `[batch, out, *positions]` with a window.
    """
    if node.window is None:
        return functional.linear(source, weight, bias)
    window = node.window
    convolve = _CONVOLUTIONS[window.num_axes]
    return convolve(source, weight, bias, window.stride, window.padding, window.dilation, node.groups)


def activate(node: Matrix, outputs: Tensor) -> Tensor:
    """The outputs of a matrix node after its activation."""
    return outputs if node.activation is None else ACTIVATIONS[node.activation](outputs)


def float_matrix(graph: Graph) -> MatrixFunction:
    """The exact way to compute the graph's matrix nodes, with its stored weights, on any device."""
    located: dict[torch.device, LocatedTensors] = {}

    def compute(node: Matrix, source: Tensor) -> Tensor:
        tensors = located.setdefault(source.device, LocatedTensors(graph.tensors, source.device))
        bias = tensors[node.bias] if node.bias else None
        return activate(node, multiply(node, source, tensors[node.weight], bias))

    return compute
