"""Steps of quantisers: from extremes, percentiles, or the least mean-square error."""

from math import ceil

import torch

from crossloom.quant.config import RangeMethod

_CANDIDATES = 64
_SMALLEST_SHARE = 0.2


def find_steps(
    values: torch.Tensor, code_range: tuple[int, int], method: RangeMethod, percentile: float
) -> torch.Tensor:
    """One step per row of `values` [row, sample], so that code = clamp(round(value / step)). Shape [row].

    In a row without a value that codes could stand for, the top code is 1. Where the percentile is zero, since
    most values are, the extreme takes its place.
    """
    sizes = values.abs() if code_range[0] < 0 else values.clamp(min=0)
    top = sizes.amax(1)
    if method == "percentile":
        quantile = _quantile(sizes, percentile / 100)
        top = torch.where(quantile > 0, quantile, top)
    steps = torch.where(top > 0, top, torch.ones_like(top)) / code_range[1]
    steps = steps.clamp(min=torch.finfo(steps.dtype).tiny)
    return _least_error(values, steps, code_range) if method == "mse" else steps


def _quantile(values: torch.Tensor, share: float) -> torch.Tensor:
    """The smallest value of every row that so large a share does not exceed; for rows of any length."""
    number = min(max(ceil(share * values.shape[1]), 1), values.shape[1])
    return values.kthvalue(number, dim=1).values


def _least_error(values: torch.Tensor, widest: torch.Tensor, code_range: tuple[int, int]) -> torch.Tensor:
    shares = torch.linspace(_SMALLEST_SHARE, 1.0, _CANDIDATES, device=values.device)
    scaled = values / widest.unsqueeze(1)  # so that no square overflows or vanishes
    errors = torch.stack([_square_error(scaled, share.item(), code_range) for share in shares])
    return widest * shares[errors.argmin(0)]


def _square_error(values: torch.Tensor, step: float, code_range: tuple[int, int]) -> torch.Tensor:
    rounded = (values / step).round_().clamp_(*code_range).mul_(step)
    return rounded.sub_(values).square_().sum(1)
