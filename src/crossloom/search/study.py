"""The artefact of a search: its space, its goals, and every point with what came of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from math import isfinite, nan
from pathlib import Path
from typing import Self

import numpy as np

from crossloom.artefacts import Artefact, saved
from crossloom.errors import SearchError
from crossloom.registry import did_you_mean
from crossloom.search.fronts import (
    check_reference,
    default_reference,
    is_on_front,
    losses_of,
    volume,
    volumes,
)
from crossloom.search.goals import Goal, check_goals, signs
from crossloom.search.importance import measure_importance
from crossloom.search.outcome import Point
from crossloom.search.space import Space

_MOST_REASONS = 3
_MOST_LINES = 12


@saved
@dataclass(frozen=True)
class Study(Artefact):
    """A search and its points, repeats of earlier points left out.

    Points of less than full fidelity count as compute spent, never as results.
    """

    name: str
    space: Space
    goals: Mapping[str, Goal]
    points: tuple[Point, ...] = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "goals", check_goals(self.goals))

    @classmethod
    def from_store(cls, path: str | Path, name: str | None = None) -> Self:
        """What a store (a file, or a database's URL) holds of a study; of its only one without a name.

        Raises SearchError when there is no such store or study, or several and no name.
        """
        from crossloom.search.store import read_study

        return cls(*read_study(path, name))

    @cached_property
    def done(self) -> tuple[Point, ...]:
        """The points of full fidelity that are done, with a finite figure for every goal."""
        return tuple(p for p in self.points if p.state == "done" and p.fidelity >= 1 and self._is_whole(p))

    @property
    def best(self) -> Point | None:
        """The best point of full fidelity; None when none is done, or when there are several goals (see `front`)."""
        if len(self.goals) > 1 or not self.done:
            return None
        return self.done[int(self._losses[:, 0].argmin())]

    @cached_property
    def front(self) -> tuple[Point, ...]:
        """The points of full fidelity that no other beats in all goals, by their numbers."""
        return tuple(p for p, is_on in zip(self.done, is_on_front(self._losses), strict=True) if is_on)

    def hypervolume(self, reference: Mapping[str, float] | None = None) -> float:
        """The volume that the front dominates, in the product of the goals' units.

        reference: a value of each goal, worse than all that matters; without one, the worst values found and a tenth
        of each goal's range beyond them. SearchError when it lacks a goal, or names one that there is not.
        """
        return volume(self._losses, self._reference(reference)) if self.done else 0.0

    @property
    def trajectory(self) -> tuple[tuple[float, float | None], ...]:
        """(Compute spent, what was reached): the best value, or with several goals the hypervolume."""
        return self.trace()

    def trace(self, reference: Mapping[str, float] | None = None) -> tuple[tuple[float, float | None], ...]:
        """`trajectory` with a reference of one's own; None as long as no point of full fidelity was done."""
        ended = [point for point in self.points if point.state in ("done", "failed")]
        costs = accumulate(point.cost for point in ended)
        reached = iter(self._reached(reference))
        best, found, counted = None, [], {point.number for point in self.done}
        for point, cost in zip(ended, costs, strict=True):
            best = next(reached) if point.number in counted else best
            found.append((cost, best))
        return tuple(found)

    def importance(self) -> dict[str, dict[str, float]]:
        """For each goal, the share that each knob has in reaching its best tenth (PED-ANOVA, Watanabe et al.,
        IJCAI 2023, by Optuna); shares add up to 1. Empty for a goal with fewer than 20 points of full fidelity, which
        are too few to tell, or whose value never changes.
        """
        return {
            goal: measure_importance(self.space, goal, sign, self.done)
            for goal, sign in zip(self.goals, signs(self.goals), strict=True)
        }

    def summary(self) -> str:
        """Counts, and the best points; at most 100 columns wherever names are short."""
        counts = Counter(point.state for point in self.points)
        states = ", ".join(f"{count} {state}" for state, count in counts.items()) or "no points yet"
        goals = ", ".join(f"{way} {name}" for name, way in self.goals.items())
        spent = sum(point.cost for point in self.points)
        head = [f"Study {self.name}: {goals}", f"  {states}; compute spent {spent:.4g}"]
        shown = self.front if len(self.goals) > 1 else tuple(p for p in (self.best,) if p)
        lines = [f"  {_line(point, self.goals)}" for point in shown[:_MOST_LINES]]
        more = [f"  and {len(shown) - _MOST_LINES} more on the front"] if len(shown) > _MOST_LINES else []
        return "\n".join(head + _reasons(self.points) + lines + more)

    def _is_whole(self, point: Point) -> bool:
        values = {} if point.outcome is None else point.outcome.values
        return all(isfinite(values.get(goal, nan)) for goal in self.goals)

    @cached_property
    def _losses(self) -> np.ndarray:
        return losses_of(self.goals, self.done)

    def _reached(self, reference: Mapping[str, float] | None) -> list[float]:
        if not self.done:
            return []
        if len(self.goals) > 1:
            return volumes(self._losses, self._reference(reference))
        sign = signs(self.goals)[0]
        return [float(loss) * sign for loss in np.minimum.accumulate(self._losses[:, 0])]

    def _reference(self, reference: Mapping[str, float] | None) -> np.ndarray:
        if reference is None:
            return default_reference(self._losses)
        for name in [*self.goals, *reference]:
            if name not in reference:
                raise SearchError(f"the reference wants a value for every goal; {name} is missing")
            if name not in self.goals:
                raise SearchError(f"there is no goal {name!r}; {did_you_mean(name, list(self.goals))}")
        return check_reference(self.goals, reference)


def _reasons(points: tuple[Point, ...]) -> list[str]:
    """What points failed of most."""
    reasons = Counter(point.reason for point in points if point.state == "failed")
    return [f"  {count} failed: {reason:.200}" for reason, count in reasons.most_common(_MOST_REASONS)]


def _line(point: Point, goals: Mapping[str, Goal]) -> str:
    assert point.outcome is not None
    errors = point.outcome.errors
    figures = [
        f"{name} {point.outcome.values[name]:.4g}" + (f" ± {errors[name]:.2g}" if name in errors else "")
        for name in goals
    ]
    values = [f"{name}={_show(value)}" for name, value in point.values.items()]
    return f"point {point.number}: {', '.join(figures)} at {' '.join(values)}"


def _show(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
