"""The artefact: what was found for which chips, and how much it helps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from crossloom.artefacts import Artefact, saved
from crossloom.calibration.config import CalibrationConfig
from crossloom.programming import Corrections

_NAMES = {
    "ranges": "integration times",
    "drift": "drift compensation",
    "columns": "gains and offsets",
    "channels": "statistics of channels",
}


@saved
@dataclass(frozen=True)
class FitReport:
    """One fit of one layer, judged on what was held out: its error (NMSE) without and with it.

    The error of ranges, drift and columns is that against exact sums of the same inputs; that of channels, which
    also meets errors of the layers before, is against the float network.
    """

    layer: str
    fit: str
    before: float
    after: float
    is_applied: bool


@saved
@dataclass(frozen=True)
class Calibration(Artefact):
    """Corrections for the chips they were measured on: `chips.with_calibration(calibration)`.

    errors_before, errors_after: of every layer on vectors held out, against exact sums (NMSE).
    """

    corrections: Corrections
    config: CalibrationConfig
    errors_before: Mapping[str, float] = field(repr=False)
    errors_after: Mapping[str, float] = field(repr=False)
    fits: tuple[FitReport, ...] = field(repr=False)
    num_mvms: int

    @property
    def num_applied(self) -> int:
        """How many fits helped, and are applied."""
        return sum(fit.is_applied for fit in self.fits)

    def summary(self) -> str:
        """The error of every layer before and after, and what did not help."""
        lines = [
            f"Calibration of {self.corrections.system}: {self.num_applied} of {len(self.fits)} fits applied, "
            f"{self.num_mvms:,} MVMs of tiles; errors held out, as a share of the signal's power"
        ]
        for name, before in self.errors_before.items():
            lines.append(f"  {name}: {before:.3g} before, {self.errors_after[name]:.3g} after")
        for fit in self.fits:
            if fit.fit == "channels" and fit.is_applied:
                lines.append(f"  {fit.layer}: against float {fit.before:.3g} before, {fit.after:.3g} after")
        idle = [fit for fit in self.fits if not fit.is_applied]
        lines += [
            f"note: {_NAMES[fit.fit]} of {fit.layer} not applied, since they do not help: {fit.before:.3g} without, "
            f"{fit.after:.3g} with"
            for fit in idle
        ]
        return "\n".join(lines)
