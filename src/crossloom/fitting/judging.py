"""Goodness of fit, from standardised residuals."""

from dataclasses import dataclass

import torch

from crossloom.fitting.distributions import chi_square_tail, kolmogorov_smirnov
from crossloom.fitting.fit import Goodness, SpreadPoint
from crossloom.fitting.likelihood import Estimate

_MOST_POINTS, _ROWS_PER_POINT = 16, 20
_FAR = 4.0


@dataclass(frozen=True)
class Residuals:
    """What a fit leaves.

    standardised: [row], normal with variance 1 if the fit is right.
    squares: [unit], mean square of the standardised residuals of a row; for reads, of the cell's.
    counts: [unit], of how many independent errors that is the mean.
    conductance, spread: [unit], S, where it was measured (for pulses: their nominal effect) and what spread was
        fitted there.
    num_cells: how many cells there were.
    """

    standardised: torch.Tensor
    squares: torch.Tensor
    counts: torch.Tensor
    conductance: torch.Tensor
    spread: torch.Tensor
    num_cells: int


def judge(residuals: Residuals, estimate: Estimate, num_spread_parameters: int) -> Goodness:
    """How well an effect is described by a fit whose spread has so many parameters."""
    points = tuple(_points(residuals))
    chi_square, freedom = _chi_square(residuals, points, num_spread_parameters)
    distance, probability = kolmogorov_smirnov(residuals.standardised)
    far = (residuals.standardised.abs() > _FAR).double().mean().item()
    normal = torch.special.ndtr(torch.arange(-3, 3.01, 0.25, dtype=torch.float64))
    ordered = residuals.standardised.sort().values
    places = (normal * len(ordered)).long().clamp(max=len(ordered) - 1)
    return Goodness(
        num_rows=len(residuals.standardised),
        num_cells=residuals.num_cells,
        degrees_of_freedom=estimate.degrees_of_freedom,
        log_likelihood=estimate.log_likelihood,
        chi_square=chi_square,
        chi_square_degrees=freedom,
        chi_square_probability=None if chi_square is None else chi_square_tail(chi_square, freedom),
        kolmogorov_smirnov=distance,
        kolmogorov_smirnov_probability=probability,
        r_squared=_r_squared(points),
        outlier_share=far,
        points=points,
        residual_quantiles=tuple(ordered[places].tolist()),
    )


def _points(residuals: Residuals) -> list[SpreadPoint]:
    """Neighbouring measurements put together: by conductance where there are few, else in equal parts."""
    places = _number_points(residuals)
    num_points = int(places.max()) + 1

    def sum_of(values: torch.Tensor) -> torch.Tensor:
        return torch.zeros(num_points, dtype=torch.float64).index_add_(0, places, values.double())

    counts = sum_of(residuals.counts)
    ratio = sum_of(residuals.squares * residuals.counts) / counts
    fitted = (sum_of(residuals.spread.square() * residuals.counts) / counts).sqrt()
    conductance = sum_of(residuals.conductance * residuals.counts) / counts
    error = fitted * (_doubt(residuals) / counts).sqrt() / (2 * ratio.sqrt().clamp(min=1e-12))
    columns = (conductance, fitted * ratio.sqrt(), error, fitted, counts)
    return [
        SpreadPoint(*numbers, num_measurements=round(count))
        for *numbers, count in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _doubt(residuals: Residuals) -> torch.Tensor:
    """The variance of the square of one standardised residual: 2 if it is normal, more with heavy tails."""
    return residuals.standardised.square().var(correction=0)


def _number_points(residuals: Residuals) -> torch.Tensor:
    distinct, places = residuals.conductance.unique(return_inverse=True)
    most = (
        int(residuals.counts.sum().clamp(_ROWS_PER_POINT, _MOST_POINTS * _ROWS_PER_POINT)) // _ROWS_PER_POINT
    )
    if len(distinct) <= most:
        return places
    equal = torch.empty_like(places)
    equal[residuals.conductance.argsort(stable=True)] = torch.arange(len(places)) * most // len(places)
    return equal


def _chi_square(
    residuals: Residuals, points: tuple[SpreadPoint, ...], num_spread_parameters: int
) -> tuple[float | None, int]:
    freedom, doubt = len(points) - num_spread_parameters, _doubt(residuals).item()
    if freedom < 1 or doubt == 0:
        return None, max(freedom, 0)
    terms = (point.num_measurements * ((point.measured / point.fitted) ** 2 - 1) ** 2 for point in points)
    return sum(terms) / doubt, freedom


def _r_squared(points: tuple[SpreadPoint, ...]) -> float | None:
    if len(points) < 3:
        return None
    total = sum(point.num_measurements for point in points)
    middle = sum(point.measured * point.num_measurements for point in points) / total
    left = sum(point.num_measurements * (point.measured - point.fitted) ** 2 for point in points)
    whole = sum(point.num_measurements * (point.measured - middle) ** 2 for point in points)
    return None if whole == 0 else 1 - left / whole
