"""Pulses: how a cell is written, and what that does to its neighbours."""

from math import exp
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from crossloom.spec.base import Spec
from crossloom.spec.numbers import Positive, Share


class PulseSpec(Spec):
    """How a cell is written.

    width, step: a pulse of `width` seconds nominally changes the conductance by `step` siemens; longer ones by
        as much more, up to `max_width`.
    tolerance, max_pulses: the published write-verify, S and a count; None when not published.
    voltage: magnitude of a nominal pulse, V; None when not published.
    max_voltage: the highest that the drivers give, V; None when they give the nominal voltage at most.
    voltage_scale: V; a pulse of `voltages` V does sinh(V / voltage_scale) / sinh(voltage / voltage_scale) times
        what a nominal one does: nothing at 0 V, and e times as much with every `voltage_scale` above. That is
        the field dependence of ion hopping (Mott and Gurney, Electronic Processes in Ionic Crystals, 1940; for
        memristors Strukov and Williams, Appl. Phys. A 94, 515 (2009)). None when not known.
    half_select: share of a pulse's effect that each other cell on the same row, or on the same column, meets;
        None where transistors gate them off.
    """

    width: Positive
    step: Positive
    max_width: Positive
    tolerance: Positive | None = None
    max_pulses: Annotated[int, Field(ge=1)] | None = None
    voltage: Positive | None = None
    max_voltage: Positive | None = None
    voltage_scale: Positive | None = None
    half_select: Share | None = None

    @model_validator(mode="after")
    def _widths_are_ordered(self) -> Self:
        if self.max_width < self.width:
            raise ValueError(f"need width <= max_width, got {self.width} and {self.max_width}")
        return self

    @model_validator(mode="after")
    def _voltages_have_a_nominal_one(self) -> Self:
        named = [name for name in ("max_voltage", "voltage_scale") if getattr(self, name) is not None]
        if named and self.voltage is None:
            raise ValueError(f"{' and '.join(named)} need the nominal voltage: give voltage")
        if self.voltage and self.max_voltage and self.max_voltage < self.voltage:
            raise ValueError(f"need voltage <= max_voltage, got {self.voltage} and {self.max_voltage}")
        return self

    @property
    def highest_voltage(self) -> float | None:
        """The highest voltage that a pulse can have, V; None when no voltage is known."""
        return self.max_voltage or self.voltage

    def growth(self, voltages: Any) -> Any:
        """How many times the nominal effect a pulse of `voltages` has (V, float or tensor of any shape).

        Needs `voltage` and `voltage_scale`.

        >>> response = PulseSpec(width=1e-7, step=1e-6, max_width=1e-6, voltage=1.5, voltage_scale=0.2)
        >>> [round(response.growth(voltage), 3) for voltage in (0.0, 1.5, 1.7)]
        [0.0, 1.0, 2.718]
        """
        if self.voltage is None or self.voltage_scale is None:
            raise ValueError("growth with voltage needs voltage and voltage_scale")
        above, scale = voltages - self.voltage, self.voltage_scale
        # sinh(V / s) / sinh(V0 / s) without the overflow of its numerator
        nominal = 1 - exp(-2 * self.voltage / scale)
        if isinstance(voltages, float | int):
            return exp(above / scale) * (1 - exp(-2 * voltages / scale)) / nominal
        return (above / scale).exp() * (1 - (-2 * voltages / scale).exp()) / nominal
