"""Numbers of a component table, with the range that their sources leave."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator

from crossloom.spec import Spec


class Bounds(NamedTuple):
    """A figure, and the least and the most that its sources allow; in the unit of the figure."""

    typical: float
    low: float
    high: float

    def times(self, factor: float) -> "Bounds":
        """The figure so many times."""
        return Bounds(self.typical * factor, self.low * factor, self.high * factor)

    def plus(self, other: "Bounds") -> "Bounds":
        """Both together, low with low and high with high: errors of one table are taken to go together."""
        return Bounds(self.typical + other.typical, self.low + other.low, self.high + other.high)


NOTHING = Bounds(0.0, 0.0, 0.0)


def add_up(parts: Iterable[Bounds]) -> Bounds:
    """The sum of figures with their ranges."""
    total = NOTHING
    for part in parts:
        total = total.plus(part)
    return total


class Amount(Spec):
    """A number of a table: `1e-12`, or `{ typical = 1e-12, low = 5e-13, high = 2e-12 }` where sources disagree.

    >>> Amount.parse({"typical": 2.0, "high": 3.0}).bounds
    Bounds(typical=2.0, low=2.0, high=3.0)
    """

    typical: float = Field(ge=0)
    low: float | None = Field(default=None, ge=0)
    high: float | None = Field(default=None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _a_bare_number_is_typical(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"typical": value}
        if not isinstance(value, dict | cls):
            raise ValueError("need a number, or { typical = ..., low = ..., high = ... }")
        return value

    @model_validator(mode="after")
    def _the_range_holds_the_number(self) -> Self:
        _, low, high = self.bounds
        if not low <= self.typical <= high:
            raise ValueError(f"need low <= typical <= high, got {low}, {self.typical} and {high}")
        return self

    @property
    def bounds(self) -> Bounds:
        """The number with its range; a side that is not given is the number itself."""
        low = self.typical if self.low is None else self.low
        high = self.typical if self.high is None else self.high
        return Bounds(self.typical, low, high)

    @classmethod
    def of(cls, bounds: Bounds) -> "Amount":
        """The number again."""
        return cls(typical=bounds.typical, low=bounds.low, high=bounds.high)
