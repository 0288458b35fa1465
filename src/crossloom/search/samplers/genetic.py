"""The genetic search NSGA-II."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from crossloom.errors import SearchError
from crossloom.search.libraries import import_library
from crossloom.search.outcome import Point
from crossloom.search.samplers.asking import Asked
from crossloom.search.samplers.sampler import Proposal, Sampler
from crossloom.search.space import Space


@dataclass(frozen=True)
class Genetic(Sampler):
    """NSGA-II (Deb et al., IEEE Trans. Evol. Comput. 6(2), 2002), for one goal or several, by Optuna.

    population: points in a generation; the next generation descends from the best that are known then.
    mutation: probability that a knob is drawn anew; None for one knob of every point on average.
    crossover: probability that a point descends from two.
    """

    population: int = 50
    mutation: float | None = None
    crossover: float = 0.9
    _asked: Asked = field(default_factory=Asked, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.population < 2:
            raise SearchError(f"a population wants at least 2 points, got {self.population}")

    def propose(
        self, space: Space, goals: Mapping[str, str], history: Sequence[Point], number: int, seed: int
    ) -> list[Proposal]:
        """Children of the generation before; a child may equal an earlier point, whose outcome it then shares."""
        return self._asked.propose(
            space, goals, history, number, seed, self._make, self._generation, self._select
        )

    def check(self, space: Space, goals: Mapping[str, str]) -> None:
        """MissingDependencyError without Optuna."""
        import_library("optuna")

    def _make(self, seed: int) -> Any:
        samplers = import_library("optuna").samplers
        return partial(samplers.NSGAIISampler, mutation_prob=self.mutation, crossover_prob=self.crossover)(
            population_size=self.population, seed=seed
        )

    def _generation(self, place: int) -> dict[str, int]:
        """Which generation the point that was finished at this place belongs to, in Optuna's words."""
        return {"NSGAIISampler:generation": place // self.population}

    def _select(self, sampler: Any, study: Any, num_told: int) -> None:
        """Have the parents of all generations selected, from the first on. Optuna gives parents in another order when
        it selects them than when it remembers them; so they are always remembered, also right after a resumption."""
        for generation in range(1, num_told // self.population + 1):
            sampler.get_parent_population(study, generation)
