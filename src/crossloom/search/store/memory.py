"""A ledger that is gone when the search is over."""

from collections.abc import Sequence
from dataclasses import replace

from crossloom.search.outcome import Point
from crossloom.search.samplers.sampler import Proposal
from crossloom.search.space import Space
from crossloom.search.store.book import Book
from crossloom.search.store.ledger import Ledger


class MemoryLedger(Ledger):
    """Points in memory only."""

    def __init__(self, space: Space) -> None:
        self._book, self._seconds = Book(space), 0.0

    @property
    def points(self) -> Sequence[Point]:
        return self._book.points

    @property
    def seconds(self) -> float:
        return self._seconds

    def claim(self, proposals: Sequence[Proposal]) -> list[Point]:
        planned = self._book.plan(proposals, "running")
        self._book.enter(planned)
        return [point for point in planned if point.repeats is None]

    def take(self, number: int) -> list[Point]:
        taken = [replace(point, state="running") for point in self._book.waiting()[:number]]
        self._book.enter(taken)
        return taken

    def finish(self, points: Sequence[Point], seconds: float) -> None:
        self._book.enter(points)
        self._seconds += seconds

    def release(self, numbers: Sequence[int]) -> None:
        self._book.enter(
            [replace(self._book.points[number], state="waiting", failure=None) for number in numbers]
        )

    def refresh(self) -> bool:
        return False

    def close(self) -> None:
        return
