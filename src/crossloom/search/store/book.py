"""Points in memory, by number and by identity."""

from collections.abc import Sequence
from dataclasses import replace

from crossloom.search.outcome import Point, State
from crossloom.search.samplers.sampler import Proposal
from crossloom.search.space import Space
from crossloom.search.store.ledger import identify


class Book:
    """The points of one study; number n is in place n."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.points: list[Point] = []
        self._first: dict[str, int] = {}
        self._repeats: dict[int, list[int]] = {}
        self._waiting: set[int] = set()

    def plan(self, proposals: Sequence[Proposal], state: State) -> list[Point]:
        """Proposals as the points that come next, not yet entered: new ones in this state, and repeats."""
        first, found = dict.fromkeys([]), []
        for proposal in proposals:
            number, key = len(self.points) + len(found), identify(self._space, proposal)
            known = self._first.get(key, first.get(key))
            first.setdefault(key, number)
            point = Point(number, self._space.check(proposal.values), float(proposal.fidelity), state)
            found.append(point if known is None else replace(point, repeats=known))
        return found

    def enter(self, points: Sequence[Point]) -> None:
        """Take in points, new or changed; repeats follow the point that they equal."""
        for point in points:
            if point.number == len(self.points):
                self._append(point)
            else:
                self.points[point.number] = point
            is_free = point.state == "waiting" and point.repeats is None
            (self._waiting.add if is_free else self._waiting.discard)(point.number)
            for number in self._repeats.get(point.number, ()):
                self.points[number] = _follow(self.points[number], point)

    def waiting(self) -> list[Point]:
        """The points that nobody runs, repeats left out."""
        return [self.points[number] for number in sorted(self._waiting)]

    def _append(self, point: Point) -> None:
        if point.repeats is None:
            self._first[identify(self._space, Proposal(point.values, point.fidelity))] = point.number
            self.points.append(point)
        else:
            self._repeats.setdefault(point.repeats, []).append(point.number)
            self.points.append(_follow(point, self.points[point.repeats]))


def _follow(repeat: Point, first: Point) -> Point:
    return replace(repeat, state=first.state, outcome=first.outcome, failure=first.failure, seconds=0.0)
