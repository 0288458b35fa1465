"""Learned step size quantisation of weights (Esser et al., ICLR 2020), and the steps to begin with."""

from math import sqrt
from typing import Any

import torch

from crossloom.quant import find_steps


class _RoundThrough(torch.autograd.Function):
    """To integers, exactly; the gradient passes as if nothing had happened."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, is_binary: bool) -> torch.Tensor:  # type: ignore[override]
        return torch.where(values < 0, -1.0, 1.0).to(values.dtype) if is_binary else values.round()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        return grads[0], None


class _ScaledGradient(torch.autograd.Function):
    """The identity, whose gradient counts `scale` times."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, scale: float) -> torch.Tensor:  # type: ignore[override]
        ctx.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        return grads[0] * ctx.scale, None


def scale_gradient(values: torch.Tensor, scale: float) -> torch.Tensor:
    """`values`, whose gradient counts `scale` times."""
    return _ScaledGradient.apply(values, scale)  # type: ignore[return-value]


def integers_of(
    weight: torch.Tensor, step: torch.Tensor, largest: int, is_binary: bool = False
) -> torch.Tensor:
    """Integers of `weight` [output, ...] from -`largest` to `largest`, straight through within the range.

    step: [] or [output].  Binary weights are -1 and 1.
    """
    bounded = (weight / along_outputs(step, weight)).clamp(-largest, largest)
    return _RoundThrough.apply(bounded, is_binary)  # type: ignore[return-value]


def step_scale(num_values: int, largest: int) -> float:
    """How much the gradient of a step counts, 1 / sqrt(N Q): so that a step learns as fast as what it divides."""
    return 1 / sqrt(max(num_values * largest, 1))


def first_weight_step(
    weight: torch.Tensor, largest: int, per_channel: bool, percentile: float | None, is_binary: bool = False
) -> torch.Tensor:
    """The step to begin with, [] or [output]: by least square error, or a percentile of magnitudes over `largest`.

    Binary weights begin with the mean magnitude, which is their least square error.
    """
    rows = weight.detach().float().flatten(1) if per_channel else weight.detach().float().reshape(1, -1)
    if is_binary:
        steps = rows.abs().mean(1).clamp(min=torch.finfo(torch.float32).tiny)
    elif percentile is None:
        steps = find_steps(rows, (-largest, largest), "mse", 100.0)
    else:
        steps = find_steps(rows, (-largest, largest), "percentile", percentile)
    return steps if per_channel else steps[0]


def along_outputs(step: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A step in the shape of weights [output, ...]."""
    return step if step.dim() == 0 else step.view(-1, *[1] * (like.dim() - 1))
