"""When resources are taken, and how full buffers are."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Mapping


class Timetable:
    """When each resource is taken, in order, and how long it works: by what names it."""

    def __init__(self) -> None:
        self._starts: dict[Hashable, list[float]] = defaultdict(list)
        self._stops: dict[Hashable, list[float]] = defaultdict(list)
        self._taken: list[tuple[Hashable, float]] = []
        self.busy: dict[Hashable, float] = defaultdict(float)

    def take(self, resource: Hashable, ready: float, duration: float) -> tuple[float, float]:
        """From when to when a resource works that may begin when it is `ready`, in the first long enough gap."""
        if not duration:
            return ready, ready
        starts, stops = self._starts[resource], self._stops[resource]
        start, at = ready, bisect_right(stops, ready)
        while at < len(starts) and starts[at] - start < duration:
            start, at = max(start, stops[at]), at + 1
        starts.insert(at, start)
        stops.insert(at, start + duration)
        self.busy[resource] += duration
        self._taken.append((resource, start))
        return start, start + duration

    @property
    def mark(self) -> int:
        """A point to go back to."""
        return len(self._taken)

    def undo(self, mark: int) -> None:
        """Give back all that was taken since."""
        while len(self._taken) > mark:
            resource, start = self._taken.pop()
            at = bisect_right(self._starts[resource], start) - 1
            self.busy[resource] -= self._stops[resource].pop(at) - self._starts[resource].pop(at)


class Buffers:
    """What the buffers of cores hold, and until when. `capacity` in bit; None for as much as there is."""

    def __init__(self, capacity: float | None) -> None:
        self.capacity = capacity
        self._held: dict[Hashable, list[tuple[float, float, float]]] = defaultdict(list)

    def wait(self, wanted: Mapping[Hashable, float], start: float, stop: float) -> float | None:
        """When some of what is in the way goes, if `wanted` bits do not fit from `start` to `stop`; else None."""
        if self.capacity is None:
            return None
        for core, bits in wanted.items():
            over = [held for held in self._held[core] if held[0] < stop and held[1] > start]
            marks = sorted(
                [(begin, size) for begin, _, size in over] + [(end, -size) for _, end, size in over]
            )
            full = bits
            for _, size in marks:
                full += size
                if full > self.capacity:
                    return min(end for _, end, _ in over)
        return None

    def hold(self, wanted: Mapping[Hashable, float], start: float, stop: float) -> None:
        """Keep `wanted` bits from `start` to `stop`."""
        if self.capacity is not None:
            for core, bits in wanted.items():
                self._held[core].append((start, stop, bits))
