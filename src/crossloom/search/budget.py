"""How much a search may spend."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field, model_validator

from crossloom.errors import SearchError
from crossloom.search.outcome import Point
from crossloom.spec import Config
from crossloom.units import format_si


class Budget(Config):
    """A search proposes no more once one of these is used up; points that are running are finished.

    points: different points, those that a store holds already included.
    seconds: of the clock, over all calls on the same store.
    cost: compute, the sum of `Point.cost`: what outcomes say, else their seconds.
    """

    error_type = SearchError
    points: int | None = Field(default=None, gt=0)
    seconds: float | None = Field(default=None, gt=0)
    cost: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.points is None and self.seconds is None and self.cost is None:
            raise ValueError(
                "wants points, seconds or cost, got none of them; for example Budget(points=100)"
            )
        return self

    @classmethod
    def of(cls, budget: Any) -> "Budget | None":
        """A budget; a plain integer means points. SearchError for anything else."""
        if budget is None or isinstance(budget, Budget):
            return budget
        if isinstance(budget, int) and not isinstance(budget, bool):
            return Budget(points=budget)
        raise SearchError(f"wants a Budget or a number of points, got {budget!r}")

    def num_left(self, points: Sequence[Point], seconds: float) -> int | None:
        """How many points may still be proposed; None for any number."""
        if self.seconds is not None and seconds >= self.seconds:
            return 0
        if self.cost is not None and sum(point.cost for point in points) >= self.cost:
            return 0
        if self.points is None:
            return None
        return max(self.points - sum(point.repeats is None for point in points), 0)

    def describe_left(self, points: Sequence[Point], seconds: float) -> str:
        """What is left of seconds and cost, for people; nothing where points alone count."""
        left = []
        if self.seconds is not None:
            left.append(f"{format_si(max(self.seconds - seconds, 0.0), 's', 3)} left")
        if self.cost is not None:
            left.append(f"{sum(point.cost for point in points) / self.cost:.0%} of the compute spent")
        return ", ".join(left)
