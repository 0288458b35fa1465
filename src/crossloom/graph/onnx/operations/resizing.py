"""Resizing of images, by torch's interpolation where it means the same, else by index."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step

_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
_ALIGNMENTS = ("half_pixel", "pytorch_half_pixel", "align_corners")

_ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda places: np.ceil(places - 0.5),
    "round_prefer_ceil": lambda places: np.floor(places + 0.5),
}


@operation("Resize", fixed=(1, 2, 3))
def resize(
    step: Step, x: torch.Tensor, region: Any = None, scales: Any = None, sizes: Any = None
) -> torch.Tensor:
    """The axes after the channels resized, by scales or to sizes."""
    if sizes is not None and sizes.size:
        wanted = _after_channels(step, sizes, list(x.shape))
        factors = [new / old for new, old in zip(wanted, x.shape[2:], strict=True)]
        amounts: dict[str, Any] = {"size": wanted}
    else:
        factors = [float(factor) for factor in _after_channels(step, scales, [1.0] * x.dim())]
        amounts = {"scale_factor": factors}
    mode = step.attribute("mode", "nearest")
    if mode == "nearest":
        name = _torch_nearest(step, factors)
        return F.interpolate(x, mode=name, **amounts) if name else _resize_by_index(step, x, factors)
    align = step.attribute("coordinate_transformation_mode", "half_pixel") == "align_corners"
    mode = _LINEAR[x.dim() - 2] if mode == "linear" else "bicubic"
    return F.interpolate(x, mode=mode, align_corners=align, **amounts)


def _after_channels(step: Step, amounts: np.ndarray, unchanged: list[Any]) -> list[Any]:
    """The amounts of the axes after the channels, whether the node names its axes or not."""
    rank = len(unchanged)
    axes = [axis % rank for axis in step.attribute("axes") or range(rank)]
    by_axis = dict(zip(axes, amounts.reshape(-1).tolist(), strict=True))
    return [by_axis.get(axis, unchanged[axis]) for axis in range(2, rank)]


def _torch_nearest(step: Step, factors: list[Any]) -> str | None:
    """Torch's mode that means the same, or None.

    `nearest` rounds down; `nearest-exact` rounds half-way cases up, but there are none when sizes grow by
    whole factors.
    """
    transformation = step.attribute("coordinate_transformation_mode", "half_pixel")
    rounding = step.attribute("nearest_mode", "round_prefer_floor")
    if (transformation, rounding) == ("asymmetric", "floor"):
        return "nearest"
    if transformation == "half_pixel" and rounding == "round_prefer_ceil":
        return "nearest-exact"
    is_whole = all(factor == int(factor) for factor in factors)
    is_symmetric = transformation == "half_pixel" and rounding == "round_prefer_floor"
    return "nearest-exact" if is_symmetric and is_whole else None


def _resize_by_index(step: Step, x: torch.Tensor, factors: list[float]) -> torch.Tensor:
    """The nearest element of the input for each element of the output, axis by axis."""
    transformation = step.attribute("coordinate_transformation_mode", "half_pixel")
    rounding = _ROUNDINGS[step.attribute("nearest_mode", "round_prefer_floor")]
    for axis, factor in enumerate(factors, start=2):
        old = int(x.shape[axis])
        new = math.floor(old * factor + 1e-6)
        nearest = rounding(_places(transformation, factor, old, new)).clip(0, old - 1).astype(np.int64)
        x = torch.index_select(x, axis, torch.tensor(nearest.tolist(), device=x.device))
    return x


def _places(transformation: str, factor: float, old: int, new: int) -> np.ndarray:
    """Where the elements of the output lie among those of the input, in the precision of ONNX's scales."""
    indices, scale = np.arange(new, dtype=np.float32), np.float32(factor)
    if transformation == "asymmetric":
        return indices / scale
    if transformation == "align_corners":
        return indices * np.float32((old - 1) / max(new - 1, 1))
    if transformation == "pytorch_half_pixel" and new == 1:
        return indices
    return (indices + np.float32(0.5)) / scale - np.float32(0.5)


@refusal("Resize")
def refuse_other_interpolation(node: OnnxNode, constants: Constants) -> str | None:
    """Forms of resizing that are not taken over, by name."""
    attributes = node.attributes
    mode = attributes.get("mode", "nearest")
    transformation = attributes.get("coordinate_transformation_mode", "half_pixel")
    known = (*_ALIGNMENTS, "asymmetric") if mode == "nearest" else _ALIGNMENTS
    if attributes.get("antialias"):
        return "antialias=1"
    if attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return f"keep_aspect_ratio_policy={attributes['keep_aspect_ratio_policy']}"
    if mode not in ("nearest", "linear", "cubic") or transformation not in known:
        return f"mode={mode} with coordinate_transformation_mode={transformation}"
    if mode == "cubic" and (
        attributes.get("cubic_coeff_a", -0.75) != -0.75 or attributes.get("exclude_outside")
    ):
        return "cubic interpolation other than with cubic_coeff_a=-0.75 and exclude_outside=0"
    return None
