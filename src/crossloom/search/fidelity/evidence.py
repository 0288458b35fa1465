"""A history in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from crossloom.search.fidelity.features import encode
from crossloom.search.outcome import Point
from crossloom.search.samplers import Proposal, finished
from crossloom.search.space import Space

Goals = Mapping[str, str]


@dataclass(frozen=True)
class Evidence:
    """What was seen, point by point: designs and features [point, feature], fidelities [point], costs [point].

    values: of each goal, [point].  pending: what others are evaluating.  avoided: keys of designs that failed.
    """

    designs: tuple[Mapping[str, Any], ...]
    keys: tuple[str, ...]
    features: torch.Tensor
    fidelities: torch.Tensor
    costs: torch.Tensor
    values: Mapping[str, torch.Tensor]
    pending: tuple[Proposal, ...]
    avoided: frozenset[str]

    @classmethod
    def of(cls, space: Space, goals: Goals, history: Sequence[Point]) -> "Evidence":
        """What the finished points of a history say."""
        done = [point for point in finished(history) if point.outcome is not None]
        designs = tuple(point.values for point in done)
        outcomes = [point.outcome.values for point in done if point.outcome is not None]
        waiting = [point for point in history if point.state in ("running", "waiting")]
        return cls(
            designs=designs,
            keys=tuple(map(space.key, designs)),
            features=encode(space, designs),
            fidelities=_double([point.fidelity for point in done]),
            costs=_double([point.cost for point in done]),
            values={goal: _double([outcome[goal] for outcome in outcomes]) for goal in goals},
            pending=tuple(Proposal(point.values, point.fidelity) for point in waiting),
            avoided=frozenset(space.key(point.values) for point in history if point.state == "failed"),
        )

    def best_fidelities(self, space: Space) -> dict[str, float]:
        """The highest fidelity at which each design was seen, or is about to be."""
        found: dict[str, float] = {}
        pairs = [(space.key(item.values), item.fidelity) for item in self.pending]
        for key, fidelity in [*zip(self.keys, self.fidelities.tolist(), strict=True), *pairs]:
            found[key] = max(found.get(key, 0.0), fidelity)
        return found

    def first_of_each(self) -> list[int]:
        """Indices of the first point of every design."""
        first: dict[str, int] = {}
        for index, key in enumerate(self.keys):
            first.setdefault(key, index)
        return list(first.values())


def _double(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)
