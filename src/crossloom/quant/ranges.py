"""Steps of quantisers: from extremes, percentiles, or the least mean-square error."""

import torch

from crossloom.quant.config import RangeMethod

_CANDIDATES = 64
_SMALLEST_SHARE = 0.2


def find_steps(
    values: torch.Tensor, code_range: tuple[int, int], method: RangeMethod, percentile: float
) -> torch.Tensor:
    """One step per row of `values` [row, sample], so that code = clamp(round(value / step)). Shape [row].

    Rows of zeros get the step 1.
    """
    top = _reach(values, code_range)
    if method == "percentile":
        top = torch.quantile(values.abs(), percentile / 100, dim=1)
    steps = torch.where(top > 0, top, torch.ones_like(top)) / code_range[1]
    return _least_error(values, steps, code_range) if method == "mse" else steps


def _reach(values: torch.Tensor, code_range: tuple[int, int]) -> torch.Tensor:
    is_signed = code_range[0] < 0
    return values.abs().amax(1) if is_signed else values.clamp(min=0).amax(1)


def _least_error(values: torch.Tensor, widest: torch.Tensor, code_range: tuple[int, int]) -> torch.Tensor:
    shares = torch.linspace(_SMALLEST_SHARE, 1.0, _CANDIDATES, device=values.device)
    errors = torch.stack([_square_error(values, widest * share, code_range) for share in shares])
    return widest * shares[errors.argmin(0)]


def _square_error(values: torch.Tensor, steps: torch.Tensor, code_range: tuple[int, int]) -> torch.Tensor:
    steps = steps.unsqueeze(1)
    rounded = (values / steps).round_().clamp_(*code_range).mul_(steps)
    return rounded.sub_(values).square_().sum(1)
