"""The errors of cells at one moment: their shift and spread, as an effect with its notes."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from crossloom.fitting.config import FitConfig
from crossloom.fitting.fit import FittedEffect
from crossloom.fitting.found import make_parameters, name_coefficients
from crossloom.fitting.judging import Residuals, judge
from crossloom.fitting.spreads import Errors, SpreadFit, fit_spread
from crossloom.spec import SpreadSpec
from crossloom.units import format_si

_EXPECTED_FAR, _CLEAR = 6.3e-5, 4.0


@dataclass(frozen=True)
class Moment:
    """Shift (S) and spread of errors at one moment; no effect where they are lost in the noise."""

    shift: float
    spread: SpreadSpec
    effects: tuple[FittedEffect, ...]
    notes: tuple[str, ...]


def fit_moment(data: Errors, config: FitConfig, spread_path: str, shift_path: str) -> Moment:
    """Shift and spread of single errors, and what there is to say of them.

    spread_path, shift_path: the names of their parameters.
    """
    if data.is_within_noise:
        assert data.errors is not None
        note = f"{data.what}: errors are no larger than the noise of the reads, so that its spread is zero"
        return Moment(data.errors.mean().item(), SpreadSpec(coefficients=(0.0,)), (), (note,))
    fit = fit_spread(data, config.degree, config.with_outliers)
    names = [shift_path, *name_coefficients(spread_path, fit.spec)]
    units = ["S"] * len(names)
    if fit.outliers is not None:
        names, units = [*names, f"measured.outlier_share of {data.what}"], [*units, ""]
    goodness = judge(_residuals(data, fit), fit.estimate, len(fit.spec.coefficients))
    effect = FittedEffect(data.what, make_parameters(names, units, fit.estimate, config), goodness)
    return Moment(fit.shift, fit.spec, (effect,), tuple(_notes(data, fit, effect, config)))


def _residuals(data: Errors, fit: SpreadFit) -> Residuals:
    """Of those errors that are no outliers."""
    assert data.errors is not None
    variances, kept = fit.variances(data), fit.is_regular(data)
    standardised = ((data.errors - fit.shift) / variances.sqrt())[kept]
    return Residuals(
        standardised,
        standardised.square(),
        torch.ones_like(standardised),
        data.conductance[kept],
        variances.sqrt()[kept],
        int(data.groups.max()) + 1,
    )


def _notes(data: Errors, fit: SpreadFit, effect: FittedEffect, config: FitConfig) -> Iterator[str]:
    yield from common_notes(data, fit, config)
    share = effect.goodness.outlier_share
    if share > 10 * _EXPECTED_FAR and not config.with_outliers:
        yield (
            f"{data.what}: {share:.2%} of the errors lie beyond 4 sigma ({_EXPECTED_FAR:.4%} expected) and widen the "
            "spread; with_outliers=True fits them apart"
        )
    trend = _trend(data, fit)
    if trend:
        yield f"{data.what}: the shift depends on the conductance ({trend}); the device model has one shift for all"


def common_notes(data: Errors, fit: SpreadFit, config: FitConfig) -> Iterator[str]:
    """What to say of the polynomial itself, and of its intervals."""
    spread = fit.spec
    degree, distinct = len(spread.coefficients) - 1, len(data.conductance.unique())
    if not fit.estimate.is_robust:
        yield (
            f"{data.what}: {int(data.groups.max()) + 1} cells are too few to tell how cells differ; the intervals are "
            "those of these cells, and take the errors for Gaussian and independent"
        )
    if config.degree is not None and degree < config.degree:
        yield (
            f"{data.what}: its spread has degree {degree}, not {config.degree}: measured at {distinct:,} "
            f"conductance{'s' * (distinct > 1)}, the data determine no more"
        )
    range_of = torch.linspace(0, data.conductance.max().item(), 201, dtype=torch.float64)
    below = range_of[spread.at(range_of) <= 0]
    if len(below):
        yield (
            f"{data.what}: the fitted spread is zero from {format_si(below[0].item(), 'S')} to "
            f"{format_si(below[-1].item(), 'S')}, where little was measured; measure there, or fit a lower degree"
        )


def _trend(data: Errors, fit: SpreadFit) -> str | None:
    """The shift at the ends of the range, where it clearly is not the same."""
    assert data.errors is not None
    kept = fit.is_regular(data)
    errors, conductance = data.errors[kept], data.conductance[kept]
    if len(conductance.unique()) < 2:
        return None
    standardised = (errors - fit.shift) / fit.variances(data)[kept].sqrt()
    correlation = torch.corrcoef(torch.stack([standardised, conductance]))[0, 1].item()
    if abs(correlation) < 0.1 or abs(correlation) * len(errors) ** 0.5 < _CLEAR:
        return None
    low, high = conductance.quantile(0.2), conductance.quantile(0.8)
    ends = (errors[conductance <= low].mean().item(), errors[conductance >= high].mean().item())
    return f"{format_si(ends[0], 'S', 3)} in the lowest fifth, {format_si(ends[1], 'S', 3)} in the highest"
