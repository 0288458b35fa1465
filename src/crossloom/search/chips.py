"""Objectives that are measured on several chips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from crossloom.errors import SearchError
from crossloom.search.executors.evaluation import call_objective, takes_fidelity
from crossloom.search.outcome import Outcome


def over_chips(objective: Callable[..., Any], seeds: int | Sequence[int]) -> "OverChips":
    """An objective that is the mean of another over chips, with the standard error of that mean.

    objective(values, seed), or objective(values, seed, fidelity): figures of the chip that `seed` makes, as a mapping.
    seeds: of the chips; a number means 0, 1, 2, ...
    Raises SearchError when there are no seeds, or one comes twice.
    """
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise SearchError(f"wants different seeds, at least one; got {list(chosen)}")
    return OverChips(objective, chosen)


@dataclass(frozen=True)
class OverChips:
    """See `over_chips`."""

    objective: Callable[..., Any]
    seeds: tuple[int, ...]

    @property
    def takes_fidelity(self) -> bool:
        """Whether a fidelity reaches the objective of one chip."""
        return takes_fidelity(self.objective, 2)

    def __call__(self, values: Mapping[str, Any], fidelity: float = 1.0) -> Outcome:
        """Mean and standard error over the chips; the cost is that of all chips."""
        results = [
            _as_outcome(call_objective(self.objective, dict(values), seed, fidelity=fidelity))
            for seed in self.seeds
        ]
        names = list(results[0].values)
        for seed, result in zip(self.seeds, results, strict=True):
            if set(result.values) != set(names):
                raise SearchError(
                    f"the chip of seed {seed} gave {', '.join(result.values)}; the first gave {', '.join(names)}"
                )
        series = {name: [float(result.values[name]) for result in results] for name in names}
        costs = [result.cost for result in results if result.cost is not None]
        errors = {name: stdev(row) / sqrt(len(row)) for name, row in series.items() if len(row) > 1}
        means = {name: fmean(row) for name, row in series.items()}
        return Outcome(means, errors, sum(costs) if len(costs) == len(results) else None)


def _as_outcome(result: Any) -> Outcome:
    if isinstance(result, Outcome):
        return result
    if not isinstance(result, Mapping) or not result:
        raise SearchError(f"an objective over chips wants to return a mapping of figures, got {result!r}")
    return Outcome(result)
