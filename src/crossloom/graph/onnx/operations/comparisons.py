"""Comparisons, truths, and choice by them."""

import operator
from collections.abc import Callable
from typing import Any

import torch

from crossloom.graph.onnx.registry import operation
from crossloom.graph.onnx.steps import Step

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Equal": operator.eq,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
}

LOGIC: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
}


@operation(*COMPARISONS, takes_numbers=True)
def compare(step: Step, first: Any, second: Any) -> torch.Tensor:
    """Two tensors, or a tensor and a number, compared element by element."""
    return COMPARISONS[step.operation](first, second)


@operation(*LOGIC)
def logic(step: Step, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Two tensors of truths joined."""
    return LOGIC[step.operation](first, second)


@operation("Not")
def not_(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Truths turned over."""
    return torch.logical_not(x)


@operation("Where")
def where(step: Step, condition: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The first where the condition holds, else the second."""
    return torch.where(condition, first, second)
