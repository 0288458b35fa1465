"""Search at continuous fidelity: cheap evaluations where they tell enough, full ones where only they do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from crossloom.errors import SearchError
from crossloom.registry import did_you_mean
from crossloom.search.libraries import import_library
from crossloom.search.outcome import Point
from crossloom.search.samplers.sampler import Proposal, Sampler
from crossloom.search.space import Space


@dataclass(frozen=True)
class ContinuousFidelity(Sampler):
    """Information about the Pareto front per unit of compute decides which design is evaluated, and how thoroughly.

    lowest: the lowest fidelity, in (0, 1]; 1 makes every evaluation a full one.
    levels: the fidelities that can be asked for, beside 1, such as shares of all epochs; None for any from `lowest` up.
    exact: goals that any evaluation tells without error, such as an area that no training changes.
    bound: how far a goal can reach on a sampled front, at each design ("front") or anywhere ("maxima", as published).
    resolution: what is not worth telling apart, as a share of the deviation of a goal over the designs seen at first.
    num_initial: designs seen at first, spread over the space, most of them at the lowest fidelity only; None for
        two per knob and two more.
    num_samples: sampled Pareto fronts.  num_candidates: designs looked at for every proposal.

    After CF-MESMO: Belakaria, Deshwal, Doppa, arXiv 2009.05700 (continuous fidelity), used on ReRAM by Yang et al.,
    arXiv 2109.05437. The processes differ: what a cheap evaluation adds to the full one is a process of its own, which
    vanishes at full fidelity; and information is divided by what it is expected to cost, not by its share of
    a full evaluation of the same design, since compute is what a budget counts. Deterministic for a seed and a history;
    needs the extra `search`.
    """

    lowest: float = 0.05
    levels: tuple[float, ...] | None = None
    exact: tuple[str, ...] = ()
    bound: Literal["front", "maxima"] = "front"
    resolution: float = 0.05
    num_initial: int | None = None
    num_samples: int = 8
    num_candidates: int = 512

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= 1:
            raise SearchError(f"the lowest fidelity wants to be in (0, 1], got {self.lowest:g}; use 0.05")
        for level in self.levels or ():
            if not self.lowest <= level <= 1:
                raise SearchError(f"levels want to be from lowest={self.lowest:g} to 1, got {level:g}")
        if not self.resolution >= 0:
            raise SearchError(f"resolution wants 0 or more, got {self.resolution:g}")
        if self.bound not in ("front", "maxima"):
            raise SearchError(f"bound is 'front' or 'maxima', got {self.bound!r}")
        for name in ("num_samples", "num_candidates", "num_initial"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise SearchError(f"{name} wants at least 1, got {number}")

    def check(self, space: Space, goals: Mapping[str, str]) -> None:
        """SearchError when `exact` names no goal, or every goal when there is a choice of fidelity."""
        for name in self.exact:
            if name not in goals:
                raise SearchError(f"exact names no goal: {name!r}; {did_you_mean(name, list(goals))}")
        if self.lowest < 1 and set(self.exact) == set(goals):
            raise SearchError(
                "every goal is exact at any fidelity; use lowest=1, or leave out of exact what is not"
            )

    def propose(
        self, space: Space, goals: Mapping[str, str], history: Sequence[Point], number: int, seed: int
    ) -> list[Proposal]:
        """The first designs, then what promises most information for its cost; none when all was seen in full."""
        self.check(space, goals)
        import_library("botorch")
        from crossloom.search.fidelity.proposing import propose

        return propose(self, space, goals, history, number, seed)

    def recommend(self, space: Space, goals: Mapping[str, str], history: Sequence[Point]) -> list[Proposal]:
        """The designs seen, at any fidelity, that are expected to be on the Pareto front of full evaluations."""
        self.check(space, goals)
        import_library("botorch")
        from crossloom.search.fidelity.proposing import recommend

        return recommend(self, space, goals, history)
