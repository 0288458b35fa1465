"""What a conversion costs, by the kind of the converter and its bits."""

from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from crossloom.cost.amount import Amount, Bounds
from crossloom.spec import ROOM_TEMPERATURE, Spec, by_kind
from crossloom.units import BOLTZMANN

Bits = Annotated[int, Field(ge=1, le=32)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Steps = Literal["one", "bits", "levels"]


def thermal_limit(bits: int, temperature: float = ROOM_TEMPERATURE) -> float:
    """The least energy of a conversion, J: 8 k T SNR, with the SNR of an ideal converter, 1.5 * 4^bits.

    The limit of a converter whose sampled thermal noise is as large as its quantisation noise (B. Murmann, "A/D
    converter trends", CICC 2008).

    >>> f"{thermal_limit(8):.1e}"
    '3.3e-15'
    """
    return 8 * BOLTZMANN * temperature * 1.5 * 4.0**bits


class ConverterCosts(Spec):
    """What all kinds share.

    step_time: s of one step.  steps: how many steps a conversion has: one, one per bit, or one per level.
    extra_steps: beside them, such as one that samples.  area: m² of one converter.  power: W of one, at any time.
    columns_per_adc: columns that share one, where the system does not say.  area_bits: bits that `area` is for;
    it doubles with every further bit. None for an area that does not depend on them.
    """

    step_time: Positive | None = None
    steps: Steps = "one"
    extra_steps: Annotated[int, Field(ge=0)] = 0
    area: Amount | None = None
    area_bits: Bits | None = None
    power: Amount | None = None
    columns_per_adc: Count | None = None

    def num_steps(self, bits: int) -> int:
        """Steps of one conversion."""
        return self.extra_steps + {"one": 1, "bits": bits, "levels": 2**bits}[self.steps]

    def time(self, bits: int) -> float:
        """Seconds of one conversion; 0 where no time is known."""
        return (self.step_time or 0.0) * self.num_steps(bits)

    def area_of(self, bits: int) -> Bounds | None:
        """m² of one converter of so many bits."""
        if self.area is None:
            return None
        return self.area.bounds.times(1.0 if self.area_bits is None else 2.0 ** (bits - self.area_bits))

    def energy(self, bits: int) -> Bounds:
        """J of one conversion; never below the thermal limit."""
        least = thermal_limit(bits)
        return Bounds(*(max(value, least) for value in self._energy(bits)))

    @abstractmethod
    def _energy(self, bits: int) -> Bounds: ...


class WaldenCosts(ConverterCosts):
    """A figure of merit, J per level: a conversion of b bits takes `figure_of_merit * 2^b` (R. Walden, 1999)."""

    kind: Literal["walden"] = "walden"
    figure_of_merit: Amount

    def _energy(self, bits: int) -> Bounds:
        return self.figure_of_merit.bounds.times(2.0**bits)


class PublishedCosts(ConverterCosts):
    """A converter of known bits: `conversion` J each. Others take twice as much for every further bit, as Walden's
    figure of merit says."""

    kind: Literal["published"] = "published"
    bits: Bits
    conversion: Amount

    def _energy(self, bits: int) -> Bounds:
        return self.conversion.bounds.times(2.0 ** (bits - self.bits))


class SteppedCosts(ConverterCosts):
    """A converter whose every step takes the same: `step` J."""

    kind: Literal["stepped"] = "stepped"
    step: Amount

    def _energy(self, bits: int) -> Bounds:
        return self.step.bounds.times(self.num_steps(bits))


AdcCosts = Annotated[
    WaldenCosts | PublishedCosts | SteppedCosts, Field(discriminator="kind"), BeforeValidator(by_kind)
]
