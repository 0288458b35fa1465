"""Relaxation and drift: what time does to the conductance of a cell once it is written."""

from itertools import pairwise
from math import log
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from crossloom.spec.base import Spec
from crossloom.spec.numbers import NonNegative, Positive
from crossloom.spec.spread import Spread


class LogarithmicRelaxationSpec(Spec):
    """Relaxation whose mean and spread go with ln t, t in seconds since the cell was written.

    shift_slope: mean change in S per unit of ln t, from 1 s on (no change before).
    spread_slope, spread: standard deviation spread_slope ln t + spread, S; below zero counts as zero.
    Every cell keeps its own place in the spread, so that time in parts is time at once.
    """

    kind: Literal["logarithmic"] = "logarithmic"
    shift_slope: float = 0.0
    spread_slope: NonNegative = 0.0
    spread: NonNegative = 0.0


class TabulatedRelaxationSpec(Spec):
    """Relaxation known at a few times (s since the cell was written), interpolated in between in ln t.

    spreads: one per time; before the first they grow with t from zero, after the last they stay.
    shifts: mean change in S, one per time, in the same way; None for none.
    is_total: whether the spreads are those of the whole error, programming error included: then what time adds
        is what makes up the total, independent of the programming error. False: they are what time adds.
    """

    kind: Literal["tabulated"] = "tabulated"
    times: Annotated[tuple[Positive, ...], Field(min_length=1)]
    spreads: Annotated[tuple[Spread, ...], Field(min_length=1)]
    shifts: tuple[float, ...] | None = None
    is_total: bool = False

    @model_validator(mode="after")
    def _one_of_each_per_time_and_times_grow(self) -> Self:
        for name, values in (("spreads", self.spreads), ("shifts", self.shifts)):
            if values is not None and len(values) != len(self.times):
                raise ValueError(
                    f"need one of {name} per time, got {len(values)} for {len(self.times)} times"
                )
        if any(later <= earlier for earlier, later in pairwise(self.times)):
            raise ValueError(f"need times that grow, got {self.times}")
        return self


RelaxationSpec = Annotated[LogarithmicRelaxationSpec | TabulatedRelaxationSpec, Field(discriminator="kind")]


class ClippedLogarithmSpec(Spec):
    """slope ln(x) + intercept, held between `low` and `high`; x is a conductance as a share of full scale.

    >>> ClippedLogarithmSpec(slope=-0.0155, intercept=0.0244, low=0.049, high=0.1).at(1.0)
    0.049
    """

    slope: float
    intercept: float
    low: float
    high: float

    @model_validator(mode="after")
    def _limits_are_ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"need low <= high, got {self.low} and {self.high}")
        return self

    def at(self, x: Any) -> Any:
        """Its value at x > 0 (float or tensor of any shape; a tensor may hold 0)."""
        if isinstance(x, float):
            return min(max(self.slope * log(x) + self.intercept, self.low), self.high)
        return (self.slope * x.log() + self.intercept).clamp(self.low, self.high)


class DriftSpec(Spec):
    """Drift of phase-change cells: g(t) = g (t / reference_time)^-nu, t in seconds since the cell was written.

    mean, spread: of nu, at the share x = target / scale; drawn for each cell when it is written, and normal: nu
        may be below zero where the spread is large.
    reference_time: s; the conductance asked for is the one that is there until then.
    """

    mean: ClippedLogarithmSpec
    spread: ClippedLogarithmSpec
    reference_time: Positive
    scale: Positive

    @model_validator(mode="after")
    def _a_spread_is_not_negative(self) -> Self:
        if self.spread.low < 0:
            raise ValueError(f"need spread.low >= 0, got {self.spread.low}")
        return self
