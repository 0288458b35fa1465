"""Wear: what reading and writing do to cells beyond what is wanted; and temperature."""

from math import exp, log
from typing import Annotated, Any

from pydantic import Field

from crossloom.spec.base import Spec
from crossloom.spec.numbers import NonNegative, Positive, Share
from crossloom.units import BOLTZMANN, ELEMENTARY_CHARGE

ROOM_TEMPERATURE = 300.0


class ReadDisturbSpec(Spec):
    """Loss of conductance of a cell in the low-resistance state that is read for long.

    With N write cycles and t seconds of stress at V, the conductance is that as written times
    min(1, factor (1 - wear N^wear_exponent) (time / t)^p), p = exponent exp(charge |V| / (k T)). It stays whole up
    to the transition time time factor^(1/p) (1 - wear N^wear_exponent)^(1/p): 102 s at 0.2 V, 40.4 ms at 0.3 V,
    241 us at 0.4 V (N = 0, 300 K). The constants are those of Jiang et al. as used by analog-cim-sim.

    time: s.  charge: in elementary charges.  voltage: that of usual reads, V; stress at others is converted.
    threshold: S; cells written below it are in the high-resistance state and are not disturbed. None: the middle
        of the window. No cell is disturbed below the lower end of the window.
    """

    voltage: Positive
    time: Positive = 1.55e-8
    factor: Annotated[float, Field(ge=1)] = 1.43339
    exponent: Positive = 0.0068
    charge: NonNegative = 0.11
    wear: NonNegative = 0.003
    wear_exponent: Positive = 0.41
    threshold: Positive | None = None

    def power(self, voltage: Any, temperature: float = ROOM_TEMPERATURE) -> Any:
        """p at a voltage (V, float or tensor of any shape) and a temperature (K).

        >>> [round(ReadDisturbSpec(voltage=0.2).power(voltage), 5) for voltage in (0.2, 0.3, 0.4)]
        [0.01593, 0.02437, 0.0373]
        """
        x = abs(voltage) * (self.charge * ELEMENTARY_CHARGE / (BOLTZMANN * temperature))
        return self.exponent * (exp(x) if isinstance(x, float) else x.exp())

    def transition_time(
        self, voltage: float, num_cycles: int, temperature: float = ROOM_TEMPERATURE
    ) -> float:
        """Seconds of stress at `voltage` up to which nothing is lost; 0 for a cell that is worn out.

        >>> round(ReadDisturbSpec(voltage=0.2).transition_time(0.2, 0))
        102
        """
        left = 1 - self.wear * num_cycles**self.wear_exponent
        if left <= 0:
            return 0.0
        return self.time * exp((log(self.factor) + log(left)) / self.power(voltage, temperature))


class EnduranceSpec(Spec):
    """What writing wears out. A write cycle is one `set`, or one pulse that is not of zero width.

    life, life_shape: Weibull distribution of the number of cycles after which a cell fails and is stuck; at `life`
        cycles 63 % have failed. None: cells never fail.
    stuck_high: share of failing cells that end at g_max; the others end at g_min.
    window_life, window_exponent: the window that can be written closes around its middle to
        1 / (1 + (N / window_life)^window_exponent) of its width. None: it stays open.
    No published fit is shipped; take the numbers of your cells.
    """

    life: Positive | None = None
    life_shape: Positive = 1.0
    stuck_high: Share = 0.0
    window_life: Positive | None = None
    window_exponent: Positive = 1.0


class TemperatureSpec(Spec):
    """The temperature that cells work at, and what it does.

    operating, reference: K; cells are `set`, and every other number of the device was measured, at `reference`.
    activation_energy: J (`units.eV` is one electronvolt); whatever takes time (settling, relaxation, drift,
        telegraph noise) goes exp(E / k (1 / reference - 1 / operating)) times as fast. None: no faster.
    coefficient: change of conductance per kelvin above `reference`, as a share. None: none.
    """

    operating: Positive
    reference: Positive = ROOM_TEMPERATURE
    activation_energy: NonNegative | None = None
    coefficient: float | None = None

    @property
    def acceleration(self) -> float:
        """How many times as fast time passes for the cells.

        >>> TemperatureSpec(operating=300, activation_energy=1.6e-19).acceleration
        1.0
        """
        energy = self.activation_energy or 0.0
        return exp(energy / BOLTZMANN * (1 / self.reference - 1 / self.operating))

    @property
    def factor(self) -> float:
        """Conductance at the operating temperature, relative to that at the reference; never below zero."""
        return max(1 + (self.coefficient or 0.0) * (self.operating - self.reference), 0.0)
