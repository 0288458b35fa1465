"""Quantisers that a model brings with it: values to codes and back, as operations whose steps stay readable.

ONNX's QuantizeLinear and DequantizeLinear, and QONNX's Quant and BipolarQuant, become calls of these.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


@torch.library.custom_op("crossloom::to_codes", mutates_args=())
def to_codes(values: Tensor, step: Tensor, zero: Tensor, low: int, high: int, axis: int) -> Tensor:
    """clamp(round(values / step) + zero, low, high), half to even: whole numbers in floating point.

    step, zero: one number, or one for each place along `axis`.
    """
    shaped = _along(step, values, axis), _along(zero, values, axis)
    return torch.clamp(torch.round(values / shaped[0]) + shaped[1], low, high)


@torch.library.custom_op("crossloom::from_codes", mutates_args=())
def from_codes(codes: Tensor, step: Tensor, zero: Tensor, low: int, high: int, axis: int) -> Tensor:
    """(codes - zero) * step, of codes from `low` to `high`."""
    shaped = _along(step, codes, axis), _along(zero, codes, axis)
    return (codes.to(step.dtype) - shaped[1]) * shaped[0]


@to_codes.register_fake
def _(values, step, zero, low, high, axis):
    return torch.empty_like(values)


@from_codes.register_fake
def _(codes, step, zero, low, high, axis):
    return torch.empty_like(codes, dtype=step.dtype)


TO_CODES, FROM_CODES = "crossloom.to_codes.default", "crossloom.from_codes.default"
CODE_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    TO_CODES: torch.ops.crossloom.to_codes.default,
    FROM_CODES: torch.ops.crossloom.from_codes.default,
}
"""What digital nodes may call, by `Digital.operation`."""


def _along(numbers: Tensor, like: Tensor, axis: int) -> Tensor:
    numbers = numbers.to(torch.promote_types(numbers.dtype, torch.float32))
    if numbers.numel() == 1:
        return numbers.reshape(())
    return numbers.reshape(-1, *[1] * (like.dim() - axis % like.dim() - 1))
