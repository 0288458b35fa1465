"""Convolutions and transposed convolutions of one to three axes."""

import torch
import torch.nn.functional as F

from crossloom.graph.onnx.operations.windows import pad_sides, window_attribute, window_pads
from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@operation("Conv", roles=("", "weight", "bias"))
def conv(step: Step, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Convolution; padding that differs between sides is put on before."""
    kernel = weight.shape[2:]
    strides = window_attribute(step, "strides", len(kernel))
    dilations = window_attribute(step, "dilations", len(kernel))
    before, after = window_pads(step, x.shape[2:], kernel)
    if before != after:
        x, before = pad_sides(x, before, after, 0.0), [0] * len(kernel)
    function = _CONVOLUTIONS[len(kernel)]
    return function(x, weight, bias, strides, before, dilations, step.attribute("group", 1))


@operation("ConvTranspose", roles=("", "weight", "bias"))
def conv_transpose(
    step: Step, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Transposed convolution; padding that differs between sides is cut off afterwards."""
    kernel = weight.shape[2:]
    strides = window_attribute(step, "strides", len(kernel))
    dilations = window_attribute(step, "dilations", len(kernel))
    extra = window_attribute(step, "output_padding", len(kernel), 0)
    before, after = window_pads(step, x.shape[2:], kernel)
    inside = before if before == after else [0] * len(kernel)
    function = _TRANSPOSED[len(kernel)]
    result = function(x, weight, bias, strides, inside, extra, step.attribute("group", 1), dilations)
    if before == after:
        return result
    return pad_sides(result, [-amount for amount in before], [-amount for amount in after], 0.0)


@refusal("ConvTranspose")
def refuse_computed_padding(node: OnnxNode, constants: Constants) -> str | None:
    """Padding that follows from a wanted output shape is not taken over."""
    if node.attributes.get("output_shape"):
        return "its output_shape attribute; write pads and output_padding instead"
    auto_pad = node.attributes.get("auto_pad", "NOTSET")
    return f"auto_pad={auto_pad}; write pads instead" if auto_pad.startswith("SAME") else None
