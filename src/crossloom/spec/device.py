"""Device models as facts: what is published of a cell, each effect a small value of its own."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from crossloom.spec.base import Spec
from crossloom.spec.fluctuation import FlickerNoiseSpec, TelegraphNoiseSpec, ThermalNoiseSpec
from crossloom.spec.jump_table import JumpTableDeviceSpec
from crossloom.spec.numbers import NonNegative, Positive, Share
from crossloom.spec.relaxation import DriftSpec, RelaxationSpec
from crossloom.spec.soft_bounds import SoftBoundsDeviceSpec
from crossloom.spec.spread import Spread
from crossloom.spec.synaptogen import SynaptogenDeviceSpec
from crossloom.spec.wear import EnduranceSpec, ReadDisturbSpec, TemperatureSpec


class IdealDeviceSpec(Spec):
    """Cells that are set exactly, stay, and are read without noise."""

    kind: Literal["ideal"] = "ideal"


class GaussianDeviceSpec(Spec):
    """Cells with Gaussian error and noise, and what else is given; None is off, and all combine.

    programming_error: what remains, in S, between the conductance asked for (or verified) and the one that
        stays: drawn once, when a cell has settled after its last pulse.
    read_noise: S, drawn anew at every read.
    variation: the share by which all cells of one chip settle away from their targets; drawn once per chip.
    stuck_low, stuck_high: shares of cells that stay at g_min or g_max for ever.
    pulse_spread: standard deviation of a pulse's effect, as a share of the effect.
    settling_time: seconds over which the programming error builds up after a pulse.
    relaxation, drift: what time does to a written cell.
    flicker_noise, thermal_noise: read noise that adds to `read_noise` in variance.
    telegraph_noise: traps that switch on their own; reads at the same moment agree.
    read_disturb, endurance, temperature: what reading, writing and heat do.
    """

    kind: Literal["gaussian"] = "gaussian"
    programming_error: Spread | None = None
    read_noise: Spread | None = None
    variation: NonNegative | None = None
    stuck_low: Share = 0.0
    stuck_high: Share = 0.0
    pulse_spread: NonNegative = 0.3
    settling_time: Positive = 0.1
    relaxation: RelaxationSpec | None = None
    drift: DriftSpec | None = None
    flicker_noise: FlickerNoiseSpec | None = None
    thermal_noise: ThermalNoiseSpec | None = None
    telegraph_noise: TelegraphNoiseSpec | None = None
    read_disturb: ReadDisturbSpec | None = None
    endurance: EnduranceSpec | None = None
    temperature: TemperatureSpec | None = None

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
    IdealDeviceSpec
    | GaussianDeviceSpec
    | SynaptogenDeviceSpec
    | JumpTableDeviceSpec
    | SoftBoundsDeviceSpec
    | RegisteredDeviceSpec,
    Field(discriminator="kind"),
]
