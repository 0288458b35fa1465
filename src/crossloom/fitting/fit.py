"""What a fit gives: a device, its parameters with intervals, and how well it describes the measurements."""

from collections.abc import Mapping
from dataclasses import dataclass

from crossloom.artefacts import Artefact, saved
from crossloom.errors import DataError
from crossloom.registry import did_you_mean
from crossloom.spec import CellSpec, GaussianDeviceSpec, PulseSpec
from crossloom.units import format_si

saved(GaussianDeviceSpec)
saved(PulseSpec)


@saved
@dataclass(frozen=True)
class FittedParameter:
    """One number of the device.

    name: dotted path into the cell: `device.read_noise.coefficients[0]`, `pulse.step`. What the specification
        has no place for stands under `measured.`
    value, error (one standard error), low, high (interval of `confidence`): in `unit`; a share has the unit "".
    """

    name: str
    value: float
    unit: str
    error: float
    low: float
    high: float
    confidence: float

    def __str__(self) -> str:
        low, high = _show(self.low, self.unit), _show(self.high, self.unit)
        return f"{self.name:<44}{_show(self.value, self.unit):>12} ± {_show(self.error, self.unit):<11} [{low}, {high}]"


@saved
@dataclass(frozen=True)
class SpreadPoint:
    """A group of neighbouring measurements: their mean conductance, how they spread, and what was fitted there (S).

    For pulses the conductance is the size of their nominal effect; for drift, spreads are those of the exponent.
    """

    conductance: float
    measured: float
    error: float
    fitted: float
    num_measurements: int


@saved
@dataclass(frozen=True)
class Goodness:
    """How well one effect is described. None where there are too few measurements to say.

    num_rows, num_cells: what was fitted to.  degrees_of_freedom: independent measurements less parameters.
    log_likelihood: natural, of the fitted errors in S (of shares where the effect is one).
    chi_square, chi_square_degrees, chi_square_probability: variances of `points` against the fitted ones, weighed by
        the variances of squared residuals themselves, so that heavy tails alone do not condemn a spread.
    kolmogorov_smirnov, kolmogorov_smirnov_probability: standardised residuals against the normal distribution.
    r_squared: share of the variation of the spread over `points` that the fit explains; about 0 for a spread that
        is the same everywhere, below 0 for a wrong one.
    outlier_share: share of standardised residuals beyond 4 (6.3e-5 are expected).
    residual_quantiles: of the standardised residuals, at the normal quantiles -3, -2.75, ..., 3.
    """

    num_rows: int
    num_cells: int
    degrees_of_freedom: int
    log_likelihood: float
    chi_square: float | None
    chi_square_degrees: int
    chi_square_probability: float | None
    kolmogorov_smirnov: float
    kolmogorov_smirnov_probability: float
    r_squared: float | None
    outlier_share: float
    points: tuple[SpreadPoint, ...] = ()
    residual_quantiles: tuple[float, ...] = ()

    def __str__(self) -> str:
        parts = [
            f"{self.num_rows:,} rows of {self.num_cells:,} cells",
            f"log-likelihood {self.log_likelihood:.1f}",
        ]
        if self.chi_square is not None and self.chi_square_probability is not None:
            found = f"{self.chi_square:.1f} of {self.chi_square_degrees}"
            parts.append(f"chi-square {found} (p {_show_probability(self.chi_square_probability)})")
        probability = _show_probability(self.kolmogorov_smirnov_probability)
        parts.append(f"Kolmogorov-Smirnov {self.kolmogorov_smirnov:.3f} (p {probability})")
        if self.r_squared is not None:
            parts.append(f"R2 of the spread {self.r_squared:.3f}")
        return "; ".join([*parts, f"beyond 4 sigma {self.outlier_share:.2%}"])


@saved
@dataclass(frozen=True)
class FittedEffect:
    """One effect: its name ("read noise", "relaxation at 100 ms"), parameters, and goodness of fit."""

    name: str
    parameters: tuple[FittedParameter, ...]
    goodness: Goodness


@saved
@dataclass(frozen=True)
class DeviceFit(Artefact):
    """A device model from measurements.

    device: the specification, with every effect that the measurements hold; what they say nothing of is off.
    pulse: how cells answer to pulses; None when there were none.
    g_min, g_max: the range of conductances measured, S.
    effects: in the order in which they were fitted.  notes: what the measurements do not determine, or contradict.
    """

    device: GaussianDeviceSpec
    pulse: PulseSpec | None
    g_min: float
    g_max: float
    effects: tuple[FittedEffect, ...]
    notes: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def cell(self) -> CellSpec:
        """The whole cell; its window is the range of conductances that was measured."""
        return CellSpec(g_min=self.g_min, g_max=self.g_max, pulse=self.pulse, device=self.device)

    @property
    def parameters(self) -> tuple[FittedParameter, ...]:
        return tuple(parameter for effect in self.effects for parameter in effect.parameters)

    @property
    def goodness(self) -> Mapping[str, Goodness]:
        """By effect."""
        return {effect.name: effect.goodness for effect in self.effects}

    def parameter(self, name: str) -> FittedParameter:
        """One parameter by its name. DataError, with the nearest names, when there is none."""
        known = {parameter.name: parameter for parameter in self.parameters}
        if name not in known:
            raise DataError(f"no parameter is called {name!r}; {did_you_mean(name, list(known))}")
        return known[name]

    def summary(self) -> str:
        window = f"{format_si(self.g_min, 'S')} to {format_si(self.g_max, 'S')}"
        confidence = self.parameters[0].confidence
        lines = [
            f"device fitted to {', '.join(self.files)}: {window}; value ± standard error [{confidence:.0%} interval]"
        ]
        for effect in self.effects:
            lines += ["", f"{effect.name}: {effect.goodness}"]
            lines += [f"  {parameter}" for parameter in effect.parameters]
        return "\n".join([*lines, *([""] if self.notes else []), *(f"note: {note}" for note in self.notes)])


def _show(value: float, unit: str) -> str:
    return format_si(value, unit) if unit else f"{value:.4g}"


def _show_probability(probability: float) -> str:
    return "< 1e-4" if probability < 1e-4 else f"{probability:.2g}"
