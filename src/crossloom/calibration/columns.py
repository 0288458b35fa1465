"""Digital gain and offset of every output of a tile, by least squares, held back where the data do not carry them.

For an output with sums x as measured and y as they should be, least squares of y = x̄ + d + (1 + e)(x − x̄) gives

    e = S_xy / S_xx − 1,   d = ȳ − x̄,   var e = r / S_xx,   var d = r / n,   r = residual square / (n − 2):

written around the mean, slope and shift do not depend on each other's errors. Each is then pulled towards what the
tile's outputs have in common, by what their own spread leaves over (empirical Bayes):

    e' = m + t / (t + var e) (e − m),   t = max(0, mean (e − m)² − mean var e),

with m the mean of e weighted by 1 / var e, or 0 where it lies within two of its standard errors; d likewise, towards
0. With few samples nothing is left of either; with many, nothing is taken away.
"""

from dataclasses import dataclass, replace

import torch

from crossloom.calibration.measuring import LayerSums
from crossloom.programming import LayerCorrection

_SIGNIFICANT = 2.0  # standard errors
_FLOOR = 1e-24  # keeps weights finite where the fit is perfect
_FEWEST = 4


@dataclass(frozen=True)
class Line:
    """y = gain * x + offset for every output, and the standard errors; float64 [output]."""

    gain: torch.Tensor
    offset: torch.Tensor
    gain_error: torch.Tensor
    offset_error: torch.Tensor


def fit_columns(sums: LayerSums, correction: LayerCorrection, has_gains: bool = True) -> LayerCorrection:
    """The correction with gains and offsets for every tile, or offsets alone, fitted to what its own scale leaves."""
    fit = fit_lines if has_gains else fit_offsets
    tiles = dict(correction.tiles)
    for part, exact in zip(sums.parts, sums.exact, strict=True):
        scale = torch.ones(1, dtype=torch.float64)
        if correction.scale is not None:
            scale = correction.scale[part.tile.output_start : part.tile.output_stop]
        scale = scale.to(exact.device)
        line = fit(part.sums.double() / part.scale * scale, exact)
        tiles[part.number] = replace(
            correction.of(part.number),
            gain=line.gain.cpu(),
            offset=(line.offset / scale).cpu(),
            gain_error=line.gain_error.cpu(),
            offset_error=(line.offset_error / scale).cpu(),
        )
    return LayerCorrection(tiles, correction.scale, correction.bias)


def fit_lines(measured: torch.Tensor, wanted: torch.Tensor) -> Line:
    """Lines from `measured` to `wanted`, float64 [vector, output], each output its own."""
    number = len(measured)
    x_mean, y_mean = measured.mean(0), wanted.mean(0)
    if number < _FEWEST:
        return _no_lines(x_mean)
    x, y = measured - x_mean, wanted - y_mean
    s_xx = x.square().sum(0)
    varies = s_xx > 0
    slope = torch.where(varies, (x * y).sum(0) / s_xx.clamp(min=1e-300), torch.ones_like(s_xx))
    floor = _FLOOR * y.square().sum(0).mean().clamp(min=1e-300)
    residual = ((y - slope * x).square().sum(0) / (number - 2)).clamp(min=floor.item())
    slope_variance = torch.where(varies, residual / s_xx.clamp(min=1e-300), torch.inf)
    shift_variance = residual / number
    excess = _pull(slope - 1, slope_variance, _common(slope - 1, slope_variance))
    shift = _pull(y_mean - x_mean, shift_variance, 0.0)
    gain = 1 + excess
    offset = shift - excess * x_mean
    error = slope_variance.where(varies, torch.zeros_like(s_xx)).sqrt()
    return Line(gain, offset, error, (shift_variance + (error * x_mean).square()).sqrt())


def fit_offsets(measured: torch.Tensor, wanted: torch.Tensor) -> Line:
    """As `fit_lines`, with a gain of 1 for all."""
    number, none = len(measured), _no_lines(measured[0])
    if number < _FEWEST:
        return none
    missing = wanted - measured
    floor = _FLOOR * wanted.square().sum(0).mean().clamp(min=1e-300)
    variance = (missing.var(0) / number).clamp(min=floor.item())
    return replace(none, offset=_pull(missing.mean(0), variance, 0.0), offset_error=variance.sqrt())


def _no_lines(like: torch.Tensor) -> Line:
    ones, zeros = torch.ones_like(like), torch.zeros_like(like)
    return Line(ones, zeros, zeros, zeros)


def _common(values: torch.Tensor, variances: torch.Tensor) -> float:
    """What all outputs share: the weighted mean where it is significant, else 0."""
    weights = 1 / variances
    total = weights.sum().item()
    if total == 0:
        return 0.0
    mean = (values * weights).sum().item() / total
    return mean if abs(mean) > _SIGNIFICANT * total**-0.5 else 0.0


def _pull(values: torch.Tensor, variances: torch.Tensor, centre: float) -> torch.Tensor:
    """Values drawn towards the centre, the more the less they are known."""
    known = variances.isfinite()
    if not known.any():
        return torch.zeros_like(values)
    around = values - centre
    spread = (around[known].square().mean() - variances[known].mean()).clamp(min=0)
    trust = torch.where(known, spread / (spread + variances), torch.zeros_like(variances))
    return torch.where(known, centre + trust * around, torch.zeros_like(values))
