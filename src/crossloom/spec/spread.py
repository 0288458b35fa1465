"""Spreads: standard deviations that depend on the conductance."""

from collections.abc import Mapping
from math import exp, isfinite
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from crossloom.spec.base import Spec
from crossloom.spec.numbers import NonNegative, Positive


class SpreadSpec(Spec):
    """A standard deviation, in siemens, as a polynomial of the conductance: sum of c_i (g / scale)^i.

    A bare number means that constant. Values below zero count as zero.

    >>> SpreadSpec(coefficients=(1e-6,)).at(2e-5)
    1e-06
    """

    kind: Literal["polynomial"] = "polynomial"
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

    @property
    def is_constant(self) -> bool:
        """Whether it is the same at every conductance."""
        return not any(self.coefficients[1:])


class SaturatingSpreadSpec(Spec):
    """A standard deviation, in siemens, that grows from zero and levels off: amplitude (1 - exp(-g / scale)).

    >>> SaturatingSpreadSpec(amplitude=2e-7, scale=2e-6).at(0.0)
    0.0
    """

    kind: Literal["saturating"] = "saturating"
    amplitude: NonNegative
    scale: Positive

    def at(self, conductance: Any) -> Any:
        """The standard deviation at a conductance in siemens (float or tensor of any shape)."""
        x = -conductance / self.scale
        if isinstance(x, float):
            return max(self.amplitude * (1 - exp(x)), 0.0)
        return (self.amplitude * -x.expm1()).clamp(min=0)

    @property
    def is_zero(self) -> bool:
        return self.amplitude == 0

    @property
    def is_constant(self) -> bool:
        """Whether it is the same at every conductance."""
        return self.is_zero


def _complete(value: Any) -> Any:
    """A bare number as a constant; fields without a kind as the kind that has them."""
    if isinstance(value, Mapping):
        kind = "saturating" if "amplitude" in value else "polynomial"
        return {"kind": kind, **value}
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    if not (value >= 0 and isfinite(value)):
        raise ValueError("need a standard deviation of at least 0 siemens")
    return SpreadSpec(coefficients=(float(value),))


Spread = Annotated[
    Annotated[SpreadSpec | SaturatingSpreadSpec, Field(discriminator="kind")], BeforeValidator(_complete)
]
