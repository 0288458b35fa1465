"""Search by Gaussian processes, where an evaluation costs more than a model of all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crossloom.errors import SearchError
from crossloom.search.fronts import is_on_front, losses_of
from crossloom.search.libraries import import_library
from crossloom.search.outcome import Point
from crossloom.search.samplers.sampler import Proposal, Sampler, finished
from crossloom.search.samplers.seen import Seen
from crossloom.search.samplers.sobol import sobol_shares
from crossloom.search.space import Space
from crossloom.seeds import derive_seed

_WIDTHS = (0.02, 0.1, 0.3)


@dataclass(frozen=True)
class GaussianProcess(Sampler):
    """A Gaussian process per goal, and the point with the largest expected noisy improvement: qLogNEI for one goal
    (Ament et al., NeurIPS 2023), qLogNEHVI for several (Daulton et al., NeurIPS 2021), both by BoTorch.

    Standard errors of outcomes count as observation noise when all points have them; else noise is fitted.
    num_initial: points of a Sobol sequence before the first model; None for twice the knobs and two more.
    num_candidates: points whose improvement is compared; the best one's continuous knobs are then refined.
    """

    num_initial: int | None = None
    num_candidates: int = 512
    _seen: Seen = field(default_factory=Seen, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.num_candidates < 1 or (self.num_initial is not None and self.num_initial < 1):
            raise SearchError(
                "num_initial and num_candidates want at least 1; leave them out for the usual ones"
            )

    def propose(
        self, space: Space, goals: Mapping[str, str], history: Sequence[Point], number: int, seed: int
    ) -> list[Proposal]:
        """Points that are new; none once a finite space is used up."""
        seen, found = set(self._seen.update(space, history)), []
        done = [point for point in finished(history) if point.fidelity >= 1]
        initial = 2 * len(space.knobs) + 2 if self.num_initial is None else self.num_initial
        pending = [p.values for p in history if p.state in ("running", "waiting")]
        for place in range(len(history), len(history) + number):
            candidates = self._candidates(space, goals, done, seen, derive_seed(seed, "candidates", place))
            if not candidates:
                break
            if len(done) >= initial or (len(done) >= 2 and place >= 2 * initial):
                chosen = _improve(
                    space, goals, done, pending, candidates, seen, derive_seed(seed, "model", place)
                )
            else:
                chosen = _first_new(space, sobol_shares(space, place, 64, seed), seen) or candidates[0]
            found.append(Proposal(chosen))
            seen.add(space.key(chosen))
            pending.append(chosen)
        return found

    def check(self, space: Space, goals: Mapping[str, str]) -> None:
        """MissingDependencyError without BoTorch."""
        import_library("botorch")

    def _candidates(
        self, space: Space, goals: Mapping[str, str], done: Sequence[Point], seen: set[str], seed: int
    ) -> list[dict[str, Any]]:
        """New points: all of a small space, else some everywhere and some around the best."""
        if space.size is not None and space.size <= 4 * self.num_candidates:
            return [values for values in space.grid() if space.key(values) not in seen]
        shares = [sobol_shares(space, 0, self.num_candidates, seed)]
        if done:
            shares.append(_around(space, goals, done, self.num_candidates, seed).tolist())
        points = [space.from_unit(share) for part in shares for share in part]
        return list({key: values for values in points if (key := space.key(values)) not in seen}.values())


def _first_new(space: Space, shares: Sequence[Sequence[float]], seen: set[str]) -> dict[str, Any] | None:
    points = (space.from_unit(share) for share in shares)
    return next((values for values in points if space.key(values) not in seen), None)


def _around(
    space: Space, goals: Mapping[str, str], done: Sequence[Point], number: int, seed: int
) -> np.ndarray:
    """Places near the best points: a random half of the knobs moved, a little or a lot."""
    losses = losses_of(goals, done)
    best = np.flatnonzero(is_on_front(losses))[:64] if len(goals) > 1 else losses[:, 0].argsort()[:8]
    generator = np.random.default_rng(seed)
    centres = np.array([space.to_unit(done[index].values) for index in best])
    centres = centres[generator.integers(len(best), size=number)]
    widths = generator.choice(_WIDTHS, size=(number, 1))
    moved = generator.random(centres.shape) < 0.5
    return (centres + moved * widths * generator.standard_normal(centres.shape)).clip(0.0, 1.0)


def _improve(
    space: Space,
    goals: Mapping[str, str],
    done: Sequence[Point],
    pending: Sequence[Mapping[str, Any]],
    candidates: list[dict[str, Any]],
    seen: set[str],
    seed: int,
) -> dict[str, Any]:
    """The candidate that promises most, its continuous knobs refined, unless that ends in a corner that was seen."""
    from crossloom.search.samplers.acquisition import one_thread, prepare_acquisition, refine, score

    with one_thread(seed):
        acquisition = prepare_acquisition(space, goals, done, pending)
        scores = score(acquisition, space, candidates)
        best = candidates[int(scores.argmax())]
        refined = refine(acquisition, space, best)
        return best if space.key(refined) in seen else refined
