"""Points drawn at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from crossloom.search.outcome import Point
from crossloom.search.samplers.sampler import Proposal, Sampler
from crossloom.search.samplers.seen import Seen
from crossloom.search.space import Space
from crossloom.seeds import derive_seed

_TRIES = 64


@dataclass(frozen=True)
class Random(Sampler):
    """Independent points, even over the unit cube (in a knob's logarithm where it says so), never twice the same."""

    _seen: Seen = field(default_factory=Seen, init=False, repr=False, compare=False)

    def propose(
        self, space: Space, goals: Mapping[str, str], history: Sequence[Point], number: int, seed: int
    ) -> list[Proposal]:
        """New points; none once a finite space is used up."""
        seen = set(self._seen.update(space, history)) if number > 1 else self._seen.update(space, history)
        found: list[Proposal] = []
        for place in range(len(history), len(history) + number):
            if space.size is not None and len(seen) + len(found) >= space.size:
                break
            found.append(Proposal(_draw_new(space, seen, derive_seed(seed, "random", place))))
            if number > 1:
                seen.add(space.key(found[-1].values))
        return found


def _draw_new(space: Space, seen: set[str], seed: int) -> dict:
    """A point that was not seen: by drawing until one comes, and when almost all were seen, by looking for the rest."""
    generator = np.random.default_rng(seed)
    for shares in generator.random((_TRIES, len(space.knobs))):
        values = space.from_unit(shares)
        if space.key(values) not in seen:
            return values
    if space.size is None:
        return values
    rest = [values for values in space.grid() if space.key(values) not in seen]
    return rest[generator.integers(len(rest))]
