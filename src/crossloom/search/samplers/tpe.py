"""Tree-structured Parzen estimators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crossloom.search.libraries import import_library
from crossloom.search.outcome import Point
from crossloom.search.samplers.asking import Asked
from crossloom.search.samplers.sampler import Proposal, Sampler
from crossloom.search.space import Space


@dataclass(frozen=True)
class Tpe(Sampler):
    """Tree-structured Parzen estimators (Bergstra et al., NIPS 2011), for one goal or several, by Optuna.

    num_initial: points drawn at random before the first estimate.
    """

    num_initial: int = 10
    _asked: Asked = field(default_factory=Asked, init=False, repr=False, compare=False)

    def propose(
        self, space: Space, goals: Mapping[str, str], history: Sequence[Point], number: int, seed: int
    ) -> list[Proposal]:
        """New points; those that run meanwhile count as bad ones, so that workers spread out."""
        return self._asked.propose(space, goals, history, number, seed, self._make)

    def check(self, space: Space, goals: Mapping[str, str]) -> None:
        """MissingDependencyError without Optuna."""
        import_library("optuna")

    def _make(self, seed: int) -> Any:
        samplers = import_library("optuna").samplers
        return samplers.TPESampler(n_startup_trials=self.num_initial, multivariate=True, seed=seed)
