"""Spreads as polynomials of the conductance, by maximum likelihood."""

import math
from dataclasses import dataclass, replace

import torch

from crossloom.errors import DataError
from crossloom.fitting.likelihood import Density, Estimate, maximize
from crossloom.spec import SpreadSpec

_HIGHEST_DEGREE, _CLEAR_GAIN = 4, 6.63


@dataclass(frozen=True)
class Errors:
    """Errors in S, each row one error, or several of mean zero of which only their squares are known.

    conductance: [row], S, what the spread depends on.
    scale: S, of the polynomial: the highest conductance measured.
    errors: [row], S; or None, and `squares` [row], S², of `counts` [row] independent errors.
    noise: [row], S², variance that is no part of the spread.
    groups: [row], the cell, 0 to n - 1.  what: names the fit in messages.
    """

    what: str
    scale: float
    conductance: torch.Tensor
    groups: torch.Tensor
    errors: torch.Tensor | None = None
    squares: torch.Tensor | None = None
    counts: torch.Tensor | None = None
    noise: torch.Tensor | None = None

    @property
    def has_shift(self) -> bool:
        return self.errors is not None

    @property
    def num_errors(self) -> torch.Tensor:
        return torch.ones_like(self.conductance) if self.counts is None else self.counts

    def squares_around(self, shift: torch.Tensor | float) -> torch.Tensor:
        if self.errors is not None:
            return (self.errors - shift).square()
        assert self.squares is not None
        return self.squares

    @property
    def size(self) -> float:
        """The errors' root mean square, S."""
        middle = 0.0 if self.errors is None else self.errors.median()
        return (self.squares_around(middle).sum() / self.num_errors.sum()).sqrt().item()

    @property
    def is_within_noise(self) -> bool:
        """Whether the noise that is known explains all: no excess of the mean square beyond twice its own doubt."""
        if self.errors is None or self.noise is None:
            return False
        squares = self.squares_around(self.errors.mean())
        doubt = squares.std() / len(squares) ** 0.5
        return bool(squares.mean() - self.noise.mean() < 2 * doubt)

    def in_units_of(self, size: float) -> "Errors":
        return replace(
            self,
            errors=None if self.errors is None else self.errors / size,
            squares=None if self.squares is None else self.squares / size**2,
            noise=None if self.noise is None else self.noise / size**2,
        )


@dataclass(frozen=True)
class SpreadFit:
    """A fitted spread. estimate: of (shift, if there is one,) coefficients (, share of outliers), in S."""

    spec: SpreadSpec
    estimate: Estimate
    shift: float
    outliers: float | None

    def variances(self, data: Errors) -> torch.Tensor:
        """[row], S², what is added as noise included."""
        spread = self.spec.at(data.conductance).square()
        return spread if data.noise is None else spread + data.noise

    def is_regular(self, data: Errors) -> torch.Tensor:
        """[row], whether an error is rather one of the spread than an outlier."""
        if self.outliers is None:
            return torch.ones_like(data.conductance, dtype=torch.bool)
        variances = self.variances(data)
        exponent = -0.5 * data.squares_around(self.shift) / variances
        usual = (1 - self.outliers) * exponent.exp() / (2 * math.pi * variances).sqrt()
        return usual >= self.outliers / data.scale


def fit_spread(data: Errors, degree: int | None, with_outliers: bool = False) -> SpreadFit:
    """The shift (of single errors) and the spread, by maximum likelihood.

    degree: at most that which the number of different conductances allows; None for the one of the best Bayesian
    information criterion. with_outliers: of single errors only.
    With noise, the degree is also at most that which leaves the spread above zero wherever it was measured.
    DataError when all errors are zero, or the data do not determine the fit.
    """
    highest = min(_HIGHEST_DEGREE if degree is None else degree, len(data.conductance.unique()) - 1)
    if data.size == 0:
        raise DataError(f"{data.what}: all {len(data.conductance):,} errors are exactly zero; leave them out")
    if degree is not None:
        return _fit_up_to(data, highest, with_outliers)
    fits = [_fit(data, 0, with_outliers)]
    for tried in range(1, highest + 1):
        try:
            fits.append(_fit(data, tried, with_outliers))
        except DataError:  # not determined by these data: the lower degrees are
            break
    rows = math.log(len(data.conductance))
    return min(fits, key=lambda fit: len(fit.estimate.values) * rows - 2 * fit.estimate.log_likelihood)


def _fit_up_to(data: Errors, highest: int, with_outliers: bool) -> SpreadFit:
    """The highest degree that the data determine; without noise that is `highest`, or a refusal."""
    while highest > 0 and data.noise is not None:
        try:
            return _fit(data, highest, with_outliers)
        except DataError:  # the spread is lost in the noise at some conductances
            highest -= 1
    return _fit(data, highest, with_outliers)


def _fit(data: Errors, degree: int, with_outliers: bool) -> SpreadFit:
    """Fitted in units of the errors' own size, and given in siemens."""
    size = data.size
    unit = data.in_units_of(size)
    powers = (unit.conductance / unit.scale)[:, None] ** torch.arange(degree + 1)
    start = _start(unit, powers)
    mixed = _fit_mixture(unit, powers, start, size) if with_outliers and unit.has_shift else None
    estimate = mixed or maximize(
        _gaussian(unit, powers), start, unit.groups, unit.what, unit.num_errors.sum().item()
    )
    factors = torch.full_like(estimate.values, size)
    if mixed:
        factors[-1] = 1.0
    jacobian = unit.num_errors.sum().item() * math.log(size)
    estimate = replace(estimate.scaled(factors), log_likelihood=estimate.log_likelihood - jacobian)
    first = int(unit.has_shift)
    coefficients = estimate.values[first : first + degree + 1].tolist()
    return SpreadFit(
        spec=SpreadSpec(coefficients=tuple(coefficients), scale=data.scale),
        estimate=estimate,
        shift=estimate.values[0].item() if unit.has_shift else 0.0,
        outliers=estimate.values[-1].item() if mixed else None,
    )


def _gaussian(data: Errors, powers: torch.Tensor) -> Density:
    """log density of every row; -inf or nan where a variance is not above zero, so that no step goes there."""
    first, last = int(data.has_shift), int(data.has_shift) + powers.shape[1]
    counts, powers = data.num_errors, powers.double()

    def density(at: torch.Tensor) -> torch.Tensor:
        variances = (powers @ at[first:last]).clamp(min=0).square()
        if data.noise is not None:
            variances = variances + data.noise
        squares = data.squares_around(at[0] if data.has_shift else 0.0)
        return -0.5 * (counts * (2 * math.pi * variances).log() + squares / variances)

    return density


def _fit_mixture(data: Errors, powers: torch.Tensor, start: torch.Tensor, size: float) -> Estimate | None:
    """Gaussian errors and a share of outliers, anywhere from 0 to the highest conductance; None where there are none.

    There are none when the likelihood does not rise with the first outlier taken from the Gaussian fit, or rises so
    little that it would in one of 200 files without outliers: twice the gain is then half a chi-square of 1 degree
    (Chernoff, Ann. Math. Stat. 25, 573 (1954)).
    """
    gaussian, uniform = _gaussian(data, powers), math.log(size / data.scale)

    def mixture(at: torch.Tensor) -> torch.Tensor:
        share = at[-1]
        usual = (1 - share).log() + gaussian(at)
        return torch.stack([usual, (share.log() + uniform).expand_as(usual)]).logsumexp(0)

    alone = maximize(gaussian, start, data.groups, data.what)
    if (uniform - gaussian(alone.values)).exp().mean() <= 1:
        return None
    begin = torch.cat([start, start.new_tensor([0.02])])
    mixed = maximize(mixture, begin, data.groups, data.what)
    return mixed if 2 * (mixed.log_likelihood - alone.log_likelihood) > _CLEAR_GAIN else None


def _start(data: Errors, powers: torch.Tensor) -> torch.Tensor:
    """Parameters to begin from: the middle, and a line of least squares through the sizes of the errors.

    Sizes are those within three times the middle one, so that outliers do not decide where the fit begins. Where the
    line comes near zero it is mixed with its mean until it does not.
    """
    middle = 0.0 if data.errors is None else data.errors.median()
    squares = data.squares_around(middle) / data.num_errors
    if data.noise is not None:
        squares = (squares - data.noise).clamp(min=0.05 * squares)
    sizes = squares.sqrt().clamp(max=3 * squares.sqrt().median().clamp(min=1e-3)) * 1.25
    powers = powers.double()
    line = torch.linalg.lstsq(powers, sizes[:, None]).solution[:, 0]
    constant = torch.zeros_like(line)
    constant[0] = sizes.mean()
    lowest, share = (powers @ line).min(), 1.0
    if lowest < 0.2 * constant[0]:
        share = (0.8 * constant[0] / (constant[0] - lowest)).item()
    coefficients = share * line + (1 - share) * constant
    if not data.has_shift:
        return coefficients
    return torch.cat([torch.as_tensor(middle).reshape(1), coefficients])
