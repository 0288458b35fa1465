"""Padding of sliding windows: ONNX pads each side on its own, torch's operations both sides alike."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from crossloom.graph.onnx.steps import Step


def window_attribute(step: Step, name: str, rank: int, default: int = 1) -> list[int]:
    """A list attribute of a window, one entry for each axis."""
    return list(step.attribute(name) or [default] * rank)


def window_pads(step: Step, sizes: Sequence[int], kernel: Sequence[int]) -> tuple[list[int], list[int]]:
    """Padding before and after each axis, from `pads` or from `auto_pad`."""
    rank = len(kernel)
    auto_pad = step.attribute("auto_pad", "NOTSET")
    if auto_pad == "VALID":
        return [0] * rank, [0] * rank
    if auto_pad == "NOTSET":
        pads = window_attribute(step, "pads", 2 * rank, 0)
        return pads[:rank], pads[rank:]
    totals = _totals_for_same(step, sizes, kernel)
    halves = [total // 2 for total in totals]
    others = [total - half for total, half in zip(totals, halves, strict=True)]
    return (halves, others) if auto_pad == "SAME_UPPER" else (others, halves)


def _totals_for_same(step: Step, sizes: Sequence[int], kernel: Sequence[int]) -> list[int]:
    """Padding in all that gives ceil(size / stride) windows along each axis."""
    strides = window_attribute(step, "strides", len(kernel))
    dilations = window_attribute(step, "dilations", len(kernel))
    axes = zip(sizes, kernel, strides, dilations, strict=True)
    return [
        max((-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size, 0)
        for size, width, stride, dilation in axes
    ]


def pad_sides(x: torch.Tensor, before: Sequence[int], after: Sequence[int], value: float) -> torch.Tensor:
    """Pad the last axes with a value, each side on its own."""
    pads = [amount for pair in zip(reversed(before), reversed(after), strict=True) for amount in pair]
    return F.pad(x, pads, value=value)
