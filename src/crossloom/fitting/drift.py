"""Drift of phase-change cells: an exponent for each cell, and how exponents spread over the conductance."""

import math

import torch

from crossloom.errors import DataError
from crossloom.fitting.config import FitConfig
from crossloom.fitting.fit import FittedEffect
from crossloom.fitting.found import Found, make_parameters
from crossloom.fitting.judging import Residuals, judge
from crossloom.fitting.likelihood import maximize
from crossloom.fitting.spreads import Errors, fit_spread
from crossloom.fitting.visits import Visits
from crossloom.spec import ClippedLogarithmSpec, DriftSpec


def fit_drift(visits: Visits, scale: float, config: FitConfig) -> Found:
    """g(t) = g (t / t0)^-nu with nu ~ N(slope ln(g / scale) + intercept, spread).

    nu of a writing is a line of least squares through ln g over ln t; how far single measurements lie from these
    lines says how uncertain each nu is, and that is no part of the spread. t0 is the earliest time; the law is held
    at its values at the ends of the measured range. Times at 0 s are left out. DataError without a writing that was
    measured at three times.
    """
    slopes, doubts, conductance, cells = _lines(visits)
    x = (conductance / scale).log()
    powers = torch.stack([torch.ones_like(x), x], 1)[:, : 2 if len(x.unique()) > 1 else 1]
    last = powers.shape[1]

    def variances(at: torch.Tensor) -> torch.Tensor:
        return at[last].square() + doubts

    def density(at: torch.Tensor) -> torch.Tensor:
        variance = variances(at)
        return -0.5 * ((2 * math.pi * variance).log() + (slopes - powers @ at[:last]).square() / variance)

    line = torch.linalg.lstsq(powers, slopes[:, None]).solution[:, 0]
    start = torch.cat([line, (slopes - powers @ line).std().reshape(1)])
    estimate = maximize(density, start, cells, "drift")
    means = ["device.drift.mean.intercept", "device.drift.mean.slope"][:last]
    names = [*means, "device.drift.spread.intercept"]
    values = estimate.values.clone()
    values[last] = values[last].abs()
    z = (slopes - powers @ values[:last]) / variances(values).sqrt()
    residuals = Residuals(
        z, z.square(), torch.ones_like(z), conductance, variances(values).sqrt(), int(cells.max()) + 1
    )
    parameters = make_parameters(names, [""] * len(names), estimate, config)
    effect = FittedEffect("drift exponent", parameters, judge(residuals, estimate, 1))
    mean = _law(values[0].item(), values[1].item() if last == 2 else 0.0, x)
    spread = _law(values[last].item(), 0.0, x)
    assert visits.elapsed is not None
    reference = visits.elapsed[visits.elapsed > 0].min().item()
    spec = DriftSpec(mean=mean, spread=spread, reference_time=reference, scale=scale)
    return Found({"drift": spec}, effects=(effect,))


def _law(intercept: float, slope: float, x: torch.Tensor) -> ClippedLogarithmSpec:
    """intercept + slope x, x = ln(g / scale), held at its values at the ends of what was measured."""
    ends = sorted(intercept + slope * end.item() for end in (x.min(), x.max()))
    return ClippedLogarithmSpec(slope=slope, intercept=intercept, low=ends[0], high=ends[1])


def _lines(visits: Visits) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """For each writing measured at three times or more: nu, the variance of its doubt, conductance (S), and cell."""
    assert visits.elapsed is not None
    late = visits.elapsed > 0
    if bool((visits.conductance[late] <= 0).any()):
        raise DataError("drift: a conductance of 0 S follows no power law; leave such cells out")
    of = visits.writing[late]
    time, height = visits.elapsed[late].log(), visits.conductance[late].log()
    num_writings = int(visits.writing.max()) + 1

    def sum_of(values: torch.Tensor) -> torch.Tensor:
        return torch.zeros(num_writings, dtype=torch.float64).index_add_(0, of, values)

    counts = sum_of(torch.ones_like(time))
    time = time - (sum_of(time) / counts)[of]
    middle = sum_of(height) / counts
    height = height - middle[of]
    spans = sum_of(time.square())
    slopes = sum_of(time * height) / spans
    left = sum_of((height - slopes[of] * time).square())
    kept = (counts >= 3) & (spans > 0)
    if not kept.any():
        raise DataError(
            "drift: no cell was measured at three times after 0 s; add times, or use over_time='tabulated'"
        )
    asked = middle.exp() if visits.target is None else sum_of(visits.target[late]) / counts
    cell = torch.zeros(num_writings, dtype=torch.int64).index_copy_(0, of, visits.cell[late])
    conductance, groups = asked[kept], cell[kept].unique(return_inverse=True)[1]
    doubts = _scatter(left[kept], counts[kept] - 2, conductance, groups).square() / spans[kept]
    return -slopes[kept], doubts, conductance, groups


def _scatter(
    left: torch.Tensor, freedom: torch.Tensor, conductance: torch.Tensor, groups: torch.Tensor
) -> torch.Tensor:
    """How far measurements lie from the lines, as a share of the conductance, at each conductance."""
    if not left.any():
        return torch.zeros_like(left)
    scale = conductance.max().item()
    data = Errors("scatter around drift", scale, conductance, groups, squares=left, counts=freedom)
    return fit_spread(data, None).spec.at(conductance)
