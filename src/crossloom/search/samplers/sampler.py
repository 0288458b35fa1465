"""What every sampler is: a rule that proposes points from what is known so far."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossloom.search.outcome import Point
from crossloom.search.space import Space


@dataclass(frozen=True)
class Proposal:
    """A point that is worth an evaluation. values: of every knob; fidelity: in (0, 1]."""

    values: Mapping[str, Any]
    fidelity: float = 1.0


class Sampler(ABC):
    """Proposes points. What it says depends on the history alone, so that a search goes on from its store.

    A sampler may keep what it has computed from a history, but nothing that a fresh one could not compute again.
    """

    @abstractmethod
    def propose(
        self, space: Space, goals: Mapping[str, str], history: Sequence[Point], number: int, seed: int
    ) -> list[Proposal]:
        """At most `number` proposals; none when there is nothing left to propose.

        history: every point so far by its number: done, failed, running, waiting, and repeats of earlier ones.
        goals: "maximise" or "minimise" by name.  seed: of the study; derive generators from it and len(history).
        Raises SearchError when the sampler cannot serve such a space or such goals.
        """

    def check(self, space: Space, goals: Mapping[str, str]) -> None:  # noqa: B027
        """SearchError when the sampler cannot serve such a space or such goals; called before any work."""


def finished(history: Sequence[Point]) -> list[Point]:
    """The points that have an outcome, repeats left out."""
    return [point for point in history if point.state == "done" and point.repeats is None]
