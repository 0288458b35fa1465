"""Every point of a grid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from crossloom.search.outcome import Point
from crossloom.search.samplers.sampler import Proposal, Sampler
from crossloom.search.samplers.seen import Seen
from crossloom.search.space import Space


@dataclass(frozen=True)
class Grid(Sampler):
    """All points of a grid, the last knob changing fastest; those that are known already are left out.

    resolution: values per knob, or per named knob; None for all values, which continuous knobs do not have.
    """

    resolution: int | Mapping[str, int] | None = None
    _seen: Seen = field(default_factory=Seen, init=False, repr=False, compare=False)

    def propose(
        self, space: Space, goals: Mapping[str, str], history: Sequence[Point], number: int, seed: int
    ) -> list[Proposal]:
        """The next points; none once the grid is used up."""
        seen, found = self._seen.update(space, history), []
        for values in self._from(space, len(history)):
            if len(found) == number:
                break
            if space.key(values) not in seen:
                found.append(Proposal(values))
        return found

    def check(self, space: Space, goals: Mapping[str, str]) -> None:
        """SearchError when the grid has no resolution that it needs, or names knobs that there are not."""
        space.axes(self.resolution)

    def _from(self, space: Space, start: int) -> Iterator[dict[str, Any]]:
        """All points, from place `start` on and round: where one that has no gaps goes on."""
        axes = space.axes(self.resolution)
        size = prod(map(len, axes.values()))
        for index in range(size):
            yield _at(axes, (start + index) % size)


def _at(axes: Mapping[str, Sequence[Any]], index: int) -> dict[str, Any]:
    """The point at a place of the grid: the digits of a number whose bases are the axes' lengths."""
    digits = []
    for values in reversed(list(axes.values())):
        index, digit = divmod(index, len(values))
        digits.append(values[digit])
    return dict(zip(axes, reversed(digits), strict=True))
