"""Pooling over windows and over everything."""

import torch
import torch.nn.functional as F

from crossloom.graph.onnx.operations.windows import pad_sides, window_attribute, window_pads
from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step

_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_GLOBAL_AVERAGE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}


def _is_padded_by_torch(before: list[int], after: list[int], kernel: list[int]) -> bool:
    """Torch pads both sides alike, and by half a window at most."""
    return before == after and all(2 * pad <= width for pad, width in zip(before, kernel, strict=True))


@operation("MaxPool")
def max_pool(step: Step, x: torch.Tensor) -> torch.Tensor:
    """The largest element of each window."""
    kernel = list(step.attribute("kernel_shape"))
    before, after = window_pads(step, x.shape[2:], kernel)
    if not _is_padded_by_torch(before, after, kernel):
        x, before = pad_sides(x, before, after, float("-inf")), [0] * len(kernel)
    strides = window_attribute(step, "strides", len(kernel))
    dilations = window_attribute(step, "dilations", len(kernel))
    ceil_mode = bool(step.attribute("ceil_mode", 0))
    return _MAX[len(kernel)](x, kernel, strides, before, dilations, ceil_mode=ceil_mode)


@operation("AveragePool")
def average_pool(step: Step, x: torch.Tensor) -> torch.Tensor:
    """The mean of each window, with or without its padding."""
    kernel = list(step.attribute("kernel_shape"))
    before, after = window_pads(step, x.shape[2:], kernel)
    includes_padding = bool(step.attribute("count_include_pad", 0))
    strides = window_attribute(step, "strides", len(kernel))
    ceil_mode = bool(step.attribute("ceil_mode", 0))
    function = _AVERAGE[len(kernel)]
    if _is_padded_by_torch(before, after, kernel):
        return function(x, kernel, strides, before, ceil_mode, includes_padding)
    padded = function(pad_sides(x, before, after, 0.0), kernel, strides)
    if includes_padding:
        return padded
    inside = pad_sides(torch.ones_like(x[:1, :1]), before, after, 0.0)
    return padded / function(inside, kernel, strides)


@refusal("MaxPool", "AveragePool")
def refuse_uneven_ceil(node: OnnxNode, constants: Constants) -> str | None:
    """Forms of pooling that torch does not have."""
    attributes = node.attributes
    if node.operation == "AveragePool" and any(width != 1 for width in attributes.get("dilations") or ()):
        return f"dilations={list(attributes['dilations'])}"
    kernel = list(attributes.get("kernel_shape", ()))
    pads = list(attributes.get("pads") or [0] * 2 * len(kernel))
    is_plain = _is_padded_by_torch(pads[: len(kernel)], pads[len(kernel) :], kernel)
    is_computed = attributes.get("auto_pad", "NOTSET").startswith("SAME")
    if attributes.get("ceil_mode") and (is_computed or not is_plain):
        return "ceil_mode=1 with padding that differs between sides or is wider than half the window"
    return None


@operation("GlobalAveragePool")
def global_average_pool(step: Step, x: torch.Tensor) -> torch.Tensor:
    """The mean of each channel of each sample."""
    return _GLOBAL_AVERAGE[x.dim() - 2](x, 1)


@operation("GlobalMaxPool")
def global_max_pool(step: Step, x: torch.Tensor) -> torch.Tensor:
    """The largest element of each channel of each sample."""
    return torch.amax(x, dim=tuple(range(2, x.dim())), keepdim=True)
