"""What every ledger is: the one account of which points there are, who runs them, and what came of them."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

from crossloom.search.outcome import Point
from crossloom.search.samplers.sampler import Proposal
from crossloom.search.space import Space


class Ledger(ABC):
    """The points of one study. What a method has written stays written, whatever dies afterwards."""

    @property
    @abstractmethod
    def points(self) -> Sequence[Point]:
        """All points by their numbers, as far as this process knows them; repeats share their first one's outcome."""

    @property
    @abstractmethod
    def seconds(self) -> float:
        """Of the clock, that searches have spent on this study before this one."""

    @abstractmethod
    def claim(self, proposals: Sequence[Proposal]) -> list[Point]:
        """Enter proposals as points, and return those that the caller has to run. One that equals a known point
        becomes its repeat, and is nobody's to run."""

    @abstractmethod
    def take(self, number: int) -> list[Point]:
        """At most `number` waiting points, for the caller to run."""

    @abstractmethod
    def finish(self, points: Sequence[Point], seconds: float) -> None:
        """Write what came of points, and the seconds that went by since the last call."""

    @abstractmethod
    def release(self, numbers: Sequence[int]) -> None:
        """Let points wait for somebody else."""

    @abstractmethod
    def refresh(self) -> bool:
        """Learn what others have done; whether others may still be at work on points of this study."""

    @abstractmethod
    def close(self) -> None:
        """Give the study up; others may go on with it."""


def identify(space: Space, proposal: Proposal) -> str:
    """What makes a point the same point: a digest of its values and its fidelity."""
    text = f"{space.key(proposal.values)}@{float(proposal.fidelity)!r}"
    return hashlib.sha256(text.encode()).hexdigest()
