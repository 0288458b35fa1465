"""Graphs of one matrix operation, made without tracing, so that laws can try many."""

import torch

from crossloom.graph import Graph, Input, Matrix
from crossloom.windows import Window


def linear_graph(weight: torch.Tensor, bias: torch.Tensor | None = None) -> Graph:
    """x -> x W^T + b for a weight [out, in]."""
    num_outputs, num_inputs = weight.shape
    node = Matrix(
        "layer", "x", "w", None if bias is None else "b", None, 1, None, "layer", (None, num_outputs)
    )
    return _graph(Input("x", (None, num_inputs), "float32"), node, weight, bias)


def convolution_graph(
    weight: torch.Tensor,
    image: tuple[int, ...],
    window: Window,
    groups: int,
    bias: torch.Tensor | None = None,
) -> Graph:
    """A convolution with a weight [out, in / groups, *kernel] over images of shape `image`."""
    shape = (None, len(weight), *window.output_shape(image))
    node = Matrix("layer", "x", "w", None if bias is None else "b", window, groups, None, "layer", shape)
    return _graph(Input("x", (None, weight.shape[1] * groups, *image), "float32"), node, weight, bias)


def _graph(source: Input, node: Matrix, weight: torch.Tensor, bias: torch.Tensor | None) -> Graph:
    tensors = {"w": weight} if bias is None else {"w": weight, "b": bias}
    return Graph((source, node), (node.name,), True, tensors)
