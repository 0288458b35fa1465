"""The drivers of the rows."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from crossloom.spec.adc import MAX_BITS
from crossloom.spec.base import Spec
from crossloom.spec.numbers import Count, NonNegative, Positive


class DacSpec(Spec):
    """The drivers of the rows.

    bits: magnitude bits that one pulse can carry (1: a pulse or none); None when any code fits one pulse.
    is_signed: whether a pulse may be negative; if not, signed inputs take more cycles.
    read_voltage: volt per input step; None when not published.
    cycle_time: seconds of one input cycle; None when not published.
    nonlinearity: how far what is driven is from the code, in input steps, at evenly spaced magnitudes from 0 to
        the top one (2^bits - 1, or the largest of the input format where bits is None), with straight lines
        between; the same for all drivers. The first is 0: a row without a pulse is at rest. A negative pulse is
        the mirror of a positive one.
    level_error: standard deviation, over drivers, of each of their levels around that, in input steps; drawn once
        per chip. Needs `bits`.
    """

    bits: Count | None = None
    is_signed: bool
    read_voltage: Positive | None = None
    cycle_time: Positive | None = None
    nonlinearity: Annotated[tuple[float, ...], Field(min_length=2)] | None = None
    level_error: NonNegative | None = None

    @model_validator(mode="after")
    def _rest_is_rest(self) -> Self:
        if self.nonlinearity is not None and self.nonlinearity[0] != 0:
            raise ValueError(
                f"nonlinearity begins at code 0, where a row is at rest: its first value must be 0, "
                f"got {self.nonlinearity[0]}"
            )
        return self

    @model_validator(mode="after")
    def _levels_can_be_counted(self) -> Self:
        if self.level_error and (self.bits is None or self.bits > MAX_BITS):
            raise ValueError(
                f"level_error needs drivers of a known number of levels: give bits of at most {MAX_BITS}, "
                f"got bits = {self.bits}"
            )
        return self

    def imperfections(self) -> Mapping[str, bool]:
        """Whether each thing that may be wrong with the drivers is switched on, by name."""
        return {
            "dac.nonlinearity": any(self.nonlinearity or ()),
            "dac.level_error": bool(self.level_error),
        }

    def noiseless(self) -> "DacSpec":
        """The same drivers, all of whose levels are in their places."""
        return self.replace(nonlinearity=None, level_error=None)
