"""Cells: their window of conductance, and the specification of their device model."""

from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from crossloom.spec.base import Spec

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class SpreadSpec(Spec):
    """A standard deviation, in siemens, as a polynomial of the conductance: sum of c_i (g / scale)^i.

    A bare number means that constant. Values below zero count as zero.

    >>> SpreadSpec(coefficients=(1e-6,)).at(2e-5)
    1e-06
    """

    coefficients: Annotated[tuple[float, ...], Field(min_length=1)]
    scale: Positive = 1.0

    def at(self, conductance: Any) -> Any:
        """The standard deviation at a conductance in siemens (float or tensor of any shape)."""
        x, total = conductance / self.scale, 0.0 * conductance
        for coefficient in reversed(self.coefficients):
            total = total * x + coefficient
        return max(total, 0.0) if isinstance(total, float) else total.clamp(min=0)

    @property
    def is_zero(self) -> bool:
        return not any(self.coefficients)


def _constant(value: Any) -> Any:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    if not (value >= 0 and isfinite(value)):
        raise ValueError("need a standard deviation of at least 0 siemens")
    return {"coefficients": (float(value),)}


Spread = Annotated[SpreadSpec, BeforeValidator(_constant)]


class IdealDeviceSpec(Spec):
    """Cells that are set exactly, stay, and are read without noise."""

    kind: Literal["ideal"] = "ideal"


class GaussianDeviceSpec(Spec):
    """Cells with Gaussian error and noise.

    programming_error: what remains, in S, between the conductance asked for (or verified) and the one that
        stays: drawn once, when a cell has settled after its last pulse.
    read_noise: S, drawn anew at every read.
    variation: the share by which all cells of one chip settle away from their targets; drawn once per chip.
    stuck_low, stuck_high: shares of cells that stay at g_min or g_max for ever.
    pulse_spread: standard deviation of a pulse's effect, as a share of the effect.
    settling_time: seconds over which the programming error builds up after a pulse.
    """

    kind: Literal["gaussian"] = "gaussian"
    programming_error: Spread | None = None
    read_noise: Spread | None = None
    variation: NonNegative | None = None
    stuck_low: Share = 0.0
    stuck_high: Share = 0.0
    pulse_spread: NonNegative = 0.3
    settling_time: Positive = 0.1

    @model_validator(mode="after")
    def _shares_add_up(self) -> Self:
        if self.stuck_low + self.stuck_high > 1:
            raise ValueError(f"need stuck_low + stuck_high <= 1, got {self.stuck_low + self.stuck_high}")
        return self


class RegisteredDeviceSpec(Spec):
    """Cells of a device model that is registered under `name`, and reads its own `parameters`."""

    kind: Literal["registered"] = "registered"
    name: Annotated[str, Field(min_length=1)]
    parameters: dict[str, Any] = Field(default_factory=dict)


DeviceSpec = Annotated[
    IdealDeviceSpec | GaussianDeviceSpec | RegisteredDeviceSpec, Field(discriminator="kind")
]


class PulseSpec(Spec):
    """How a cell is written.

    width, step: a pulse of `width` seconds nominally changes the conductance by `step` siemens; longer ones by
        as much more, up to `max_width`.
    tolerance, max_pulses: the published write-verify, S and a count; None when not published.
    """

    width: Positive
    step: Positive
    max_width: Positive
    tolerance: Positive | None = None
    max_pulses: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _widths_are_ordered(self) -> Self:
        if self.max_width < self.width:
            raise ValueError(f"need width <= max_width, got {self.width} and {self.max_width}")
        return self


class CellSpec(Spec):
    """One programmable element with its access transistor.

    g_min, g_max: the window of conductance, S.
    num_levels: programmable levels, evenly spaced in the window; None when any conductance can be asked for.
    pulse: how cells are written pulse by pulse; None when chips bring them to their targets on their own.
    """

    g_min: NonNegative
    g_max: Positive
    num_levels: Annotated[int, Field(ge=2)] | None = None
    pulse: PulseSpec | None = None
    device: DeviceSpec = IdealDeviceSpec()

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.g_min >= self.g_max:
            raise ValueError(f"need 0 <= g_min < g_max, got {self.g_min} and {self.g_max}")
        return self
