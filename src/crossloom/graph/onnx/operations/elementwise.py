"""Arithmetic and functions of single elements."""

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch

from crossloom.graph.onnx.dtypes import TORCH_DTYPES
from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step

UNARY: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Abs": torch.abs,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "IsNaN": torch.isnan,
    "Log": torch.log,
    "Neg": torch.neg,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sqrt": torch.sqrt,
}

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Pow": operator.pow,
}


@operation(*UNARY)
def unary(step: Step, x: torch.Tensor) -> torch.Tensor:
    """A function of one tensor."""
    return UNARY[step.operation](x)


@operation(*BINARY, takes_numbers=True)
def binary(step: Step, first: Any, second: Any) -> torch.Tensor:
    """Arithmetic of two tensors, or of a tensor and a number. A power has the type of its base."""
    result = BINARY[step.operation](first, second)
    return result.to(first.dtype) if step.operation == "Pow" and isinstance(first, torch.Tensor) else result


@operation("Div", takes_numbers=True)
def div(step: Step, first: Any, second: Any) -> torch.Tensor:
    """A quotient; of whole numbers without the remainder."""
    tensor = first if isinstance(first, torch.Tensor) else second
    if tensor.is_floating_point():
        return first / second
    return torch.div(first, second, rounding_mode="trunc")


@operation("Mod", takes_numbers=True)
def mod(step: Step, first: Any, second: Any) -> torch.Tensor:
    """The remainder, with the sign of the divisor, or of the dividend if `fmod` is 1."""
    return torch.fmod(first, second) if step.attribute("fmod", 0) else torch.remainder(first, second)


@operation("Sum")
def sum_(step: Step, *operands: torch.Tensor) -> torch.Tensor:
    """The sum of any number of tensors."""
    return reduce(operator.add, operands)


@operation("Mean")
def mean(step: Step, *operands: torch.Tensor) -> torch.Tensor:
    """The mean of any number of tensors, element by element."""
    return reduce(operator.add, operands) / len(operands)


@operation("Min")
def minimum(step: Step, *operands: torch.Tensor) -> torch.Tensor:
    """The smallest of any number of tensors, element by element."""
    return reduce(torch.minimum, operands)


@operation("Max")
def maximum(step: Step, *operands: torch.Tensor) -> torch.Tensor:
    """The largest of any number of tensors, element by element."""
    return reduce(torch.maximum, operands)


@operation("Clip", takes_numbers=True)
def clip(step: Step, x: torch.Tensor, low: Any = None, high: Any = None) -> torch.Tensor:
    """Between two bounds; between 0 and 6 it is what PyTorch calls relu6."""
    if isinstance(low, float) and isinstance(high, float) and (low, high) == (0.0, 6.0):
        return torch.nn.functional.relu6(x)
    if isinstance(low, torch.Tensor) == isinstance(high, torch.Tensor) and (low is None) == (high is None):
        return x if low is None else torch.clamp(x, low, high)
    x = x if low is None else torch.clamp(x, min=low)
    return x if high is None else torch.clamp(x, max=high)


@operation("Cast")
def cast(step: Step, x: torch.Tensor) -> torch.Tensor:
    """To another element type."""
    return x.to(TORCH_DTYPES[step.attribute("to")])


@operation("CastLike")
def cast_like(step: Step, x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """To the element type of another tensor."""
    return x.to(like.dtype)


@refusal("Cast")
def refuse_unknown_type(node: OnnxNode, constants: Constants) -> str | None:
    """Types that torch computes with only."""
    target = node.attributes.get("to")
    return None if target in TORCH_DTYPES else f"the element type {target}"
