"""Padding as an operation of its own."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step

_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@operation("Pad", fixed=(1, 2, 3))
def pad(
    step: Step, x: torch.Tensor, pads: np.ndarray, value: Any = None, axes: np.ndarray | None = None
) -> torch.Tensor:
    """Padding of axes with a value, or with the tensor's own elements."""
    amounts = pads.reshape(-1).tolist()
    chosen = range(x.dim()) if axes is None else [axis % x.dim() for axis in axes.reshape(-1).tolist()]
    half = len(amounts) // 2
    pairs = dict(zip(chosen, zip(amounts[:half], amounts[half:], strict=True), strict=True))
    sides = [pairs.get(axis, (0, 0)) for axis in range(x.dim())]
    mode = _MODES[step.attribute("mode", "constant")]
    if mode == "constant":
        return F.pad(x, _flat(_without_leading_zeros(sides)), value=_number(value))
    return _pad_with_own_elements(x, sides, mode)


def _number(value: Any) -> float:
    return 0.0 if value is None else np.asarray(value).reshape(-1).tolist()[0]


def _without_leading_zeros(sides: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Axes from the first one that is padded; torch leaves those before it alone."""
    padded = [axis for axis, pair in enumerate(sides) if any(side != 0 for side in pair)]
    return sides[padded[0] :] if padded else sides[-1:]


def _flat(sides: list[tuple[int, int]]) -> list[int]:
    """Amounts in torch's order: the last axis first."""
    return [amount for pair in reversed(sides) for amount in pair]


def _pad_with_own_elements(x: torch.Tensor, sides: list[tuple[int, int]], mode: str) -> torch.Tensor:
    """Torch pads the axes after the channels: all of them, up to three. Axes before them come in turn."""
    if x.dim() in (3, 4, 5) and sides[:2] == [(0, 0), (0, 0)]:
        return F.pad(x, _flat(sides[2:]), mode=mode)
    for axis, (before, after) in enumerate(sides):
        if (before, after) != (0, 0):
            moved = x.movedim(axis, -1)
            flat = F.pad(moved.reshape(1, -1, moved.shape[-1]), [before, after], mode=mode)
            x = flat.reshape(*moved.shape[:-1], flat.shape[-1]).movedim(-1, axis)
    return x


@refusal("Pad")
def refuse_unknown_mode(node: OnnxNode, constants: Constants) -> str | None:
    """The modes that torch has too."""
    mode = node.attributes.get("mode", "constant")
    return None if mode in _MODES else f"mode={mode}"
