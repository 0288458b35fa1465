"""Cells: their window of conductance, how they are written, and the specification of their device model."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from crossloom.spec.base import Spec
from crossloom.spec.device import DeviceSpec, IdealDeviceSpec
from crossloom.spec.iv import AccessSpec, IvSpec
from crossloom.spec.numbers import NonNegative, Positive
from crossloom.spec.pulse import PulseSpec


class CellSpec(Spec):
    """One programmable element with its access transistor.

    g_min, g_max: the window of conductance, S.
    num_levels: programmable levels, evenly spaced in the window; None when any conductance can be asked for.
    pulse: how cells are written pulse by pulse; None when chips bring them to their targets on their own.
    iv: current over voltage; None for cells that are ohmic.
    access: what is in series with the element; None for nothing, with idle rows held at 0 V.
    """

    g_min: NonNegative
    g_max: Positive
    num_levels: Annotated[int, Field(ge=2)] | None = None
    pulse: PulseSpec | None = None
    device: DeviceSpec = IdealDeviceSpec()
    iv: IvSpec | None = None
    access: AccessSpec | None = None

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.g_min >= self.g_max:
            raise ValueError(f"need 0 <= g_min < g_max, got {self.g_min} and {self.g_max}")
        return self
