"""Cells whose current is not proportional to their voltage, and what gives access to them."""

from itertools import pairwise
from math import isfinite
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from crossloom.errors import SpecError
from crossloom.spec.base import Spec
from crossloom.spec.numbers import NonNegative, Positive


class PolynomialIvSpec(Spec):
    """i = g (c_1 v + c_2 v^2 + c_3 v^3 + ...), with g in S and v in V.

    coefficients: c_1, c_2, ..., in V^(1 - k); c_1 is 1, so that g is the conductance near 0 V.
    is_mirrored: whether negative voltages mirror positive ones, i(-v) = -i(v); with c_2 alone that is
        i = g v (1 + c_2 |v|).
    limit: V; beyond it, on either side, currents go on in a straight line. None: the polynomial holds everywhere.
        Within it the current must rise with the voltage.
    """

    kind: Literal["polynomial"] = "polynomial"
    coefficients: Annotated[tuple[float, ...], Field(min_length=1)]
    is_mirrored: bool = False
    limit: Positive | None = None

    @classmethod
    def cubic(cls, voltage: float) -> Self:
        """i = g v (1 + (v / voltage)^2).

        >>> PolynomialIvSpec.cubic(0.5).coefficients
        (1.0, 0.0, 4.0)
        """
        return cls(coefficients=(1.0, 0.0, _above_zero(voltage) ** -2))

    @classmethod
    def quadratic(cls, voltage: float) -> Self:
        """i = g v (1 + |v| / voltage).

        >>> PolynomialIvSpec.quadratic(0.5).coefficients
        (1.0, 2.0)
        """
        return cls(coefficients=(1.0, 1 / _above_zero(voltage)), is_mirrored=True)

    @model_validator(mode="after")
    def _current_rises(self) -> Self:
        if self.coefficients[0] != 1:
            raise ValueError(
                f"need coefficients that begin with 1, so that g is the conductance near 0 V, "
                f"got {self.coefficients[0]}"
            )
        place = self._where_it_stops_rising()
        if place is not None:
            raise ValueError(
                f"need a current that rises with the voltage, but it stops rising at {place:.4g} V; "
                f"give a limit below {abs(place):.4g} V, or other coefficients"
            )
        return self

    def _where_it_stops_rising(self) -> float | None:
        """The voltage nearest to 0 at which the slope is no longer above 0."""
        slope = [power * number for power, number in enumerate(self.coefficients, 1)]
        roots = np.polynomial.polynomial.polyroots(np.trim_zeros(slope, "b"))
        limit = float("inf") if self.limit is None else self.limit
        real = [root.real for root in roots if abs(root.imag) < 1e-9 * max(abs(root), 1.0)]
        inside = [root for root in real if abs(root) <= limit and (root > 0 or not self.is_mirrored)]
        return float(min(inside, key=abs)) if inside else None


def _above_zero(voltage: float) -> float:
    if not voltage > 0:
        raise SpecError(f"need a voltage above 0 V, got {voltage}")
    return voltage


class SinhIvSpec(Spec):
    """i = g v0 sinh(v / v0), so that g (S) is the conductance near 0 V.

    voltage: v0, V. Beyond 80 v0 (where sinh is 3e34) currents go on in a straight line.
    """

    kind: Literal["sinh"] = "sinh"
    voltage: Positive


class TableIvSpec(Spec):
    """i = g f(v) with f from a table, in straight lines between its rows and beyond its ends.

    voltages: V, rising.  factors: V, rising; g (S) is the conductance at the voltage that equals its factor. Where
    the first voltage is 0, negative voltages mirror positive ones. One row must be 0 V, 0 V.
    """

    kind: Literal["table"] = "table"
    voltages: Annotated[tuple[float, ...], Field(min_length=2)]
    factors: Annotated[tuple[float, ...], Field(min_length=2)]

    @model_validator(mode="after")
    def _rows_rise(self) -> Self:
        if len(self.voltages) != len(self.factors):
            raise ValueError(f"need one factor per voltage: {len(self.voltages)}, got {len(self.factors)}")
        for name, numbers in (("voltages", self.voltages), ("factors", self.factors)):
            for row, (before, number) in enumerate(pairwise(numbers), 1):
                if not (isfinite(number) and before < number):
                    raise ValueError(
                        f"need {name} that rise from row to row, but row {row} has {number:g} after {before:g}"
                    )
        if (0.0, 0.0) not in zip(self.voltages, self.factors, strict=True):
            raise ValueError("need a row with 0 V and factor 0, since no current flows without a voltage")
        return self


IvSpec = Annotated[PolynomialIvSpec | SinhIvSpec | TableIvSpec, Field(discriminator="kind")]


class AccessSpec(Spec):
    """What lies in series with every cell.

    resistance: of the access transistor or selector when it conducts, ohm; the same for every cell.
    is_gated: whether rows whose input is zero are cut off, as transistors can do; if not, such rows are held
        at 0 V and take part.
    """

    resistance: NonNegative = 0.0
    is_gated: bool = True
