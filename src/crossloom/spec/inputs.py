"""Input modes: how a number becomes pulses on a row."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from crossloom.spec.base import Spec, by_kind


class BitSerial(Spec):
    """One cycle per `bits_per_pulse` bits, weighted by powers of two when the codes are added."""

    kind: Literal["bit_serial"] = "bit_serial"
    bits_per_pulse: Annotated[int, Field(ge=1)] = 1


class Pulse(Spec):
    """As many unit pulses as the number says, one a cycle, added plainly.

    With `is_rotated`, each row starts after the pulses of the rows above it (modulo the number of cycles), so
    that the load spreads evenly over the cycles.
    """

    kind: Literal["pulse"] = "pulse"
    is_rotated: bool = True


class MultiLevel(Spec):
    """The whole number in one cycle, from a DAC with as many levels."""

    kind: Literal["multi_level"] = "multi_level"


InputMode = Annotated[BitSerial | Pulse | MultiLevel, Field(discriminator="kind"), BeforeValidator(by_kind)]
