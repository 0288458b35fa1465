"""Which points a history holds already."""

from collections.abc import Sequence

from crossloom.search.outcome import Point
from crossloom.search.space import Space


class Seen:
    """The keys of all points of a history. Only points that came since the last call are read, so that asking once
    per point costs linear time; another history or space begins anew."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._space: Space | None = None
        self._last: list[Point] = []

    def update(self, space: Space, history: Sequence[Point]) -> set[str]:
        """The keys of the points of full fidelity; read it, do not change it."""
        if not self._continues(space, history):
            self._keys, self._space, self._last = set(), space, []
        for point in history[len(self._last) :]:
            if point.fidelity >= 1:
                self._keys.add(space.key(point.values))
        self._last = list(history)
        return self._keys

    def _continues(self, space: Space, history: Sequence[Point]) -> bool:
        known = len(self._last)
        if space != self._space or len(history) < known:
            return False
        return not known or all(
            (self._last[i].number, self._last[i].values) == (history[i].number, history[i].values)
            for i in (0, known - 1)
        )
