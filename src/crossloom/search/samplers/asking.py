"""Optuna's samplers, asked from a history."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crossloom.search.optuna_study import make_distributions, make_study, make_trial
from crossloom.search.outcome import Point
from crossloom.search.samplers.sampler import Proposal
from crossloom.search.space import Space
from crossloom.seeds import derive_seed

Attributes = Callable[[int], dict[str, Any]]
Prepare = Callable[[Any, Any, int], None]


class Asked:
    """An Optuna study in memory that follows a history: what was told stays, so that a search costs linear time.

    Every proposal has a sampler of its own, seeded by the study's seed and the length of the history, so that a
    search that is resumed asks the same as one that never stopped. Trials that were only asked for are closed at once.
    """

    def __init__(self) -> None:
        self._begin(None, {})

    def propose(
        self,
        space: Space,
        goals: Mapping[str, str],
        history: Sequence[Point],
        number: int,
        seed: int,
        make: Callable[[int], Any],
        attributes: Attributes = lambda place: {},
        prepare: Prepare = lambda sampler, study, num_told: None,
    ) -> list[Proposal]:
        """Ask for points. make: a sampler from a seed; attributes: of the trial that is told at a place; prepare: what
        a sampler needs done before it is asked."""
        if not self._follows(space, goals, history):
            self._begin(space, goals)
        self._tell(goals, history, attributes)
        running = [replace(p, outcome=None) for p in history if p.state in ("running", "waiting")]
        open_trials, found = [self._open(point, goals) for point in running], []
        for place in range(len(history), len(history) + number):
            self._study.sampler = make(derive_seed(seed, "ask", place) % 2**32)
            prepare(self._study.sampler, self._study, len(self._told))
            trial = self._study.ask(self._distributions)
            open_trials.append(trial.number)
            found.append(Proposal(space.check(trial.params)))
        for trial_number in open_trials:
            self._study.tell(trial_number, state=self._failed)
        return found

    def _begin(self, space: Space | None, goals: Mapping[str, str]) -> None:
        self._space, self._goals, self._told = space, dict(goals), {}
        if space is not None:
            self._study, self._distributions = make_study(goals), make_distributions(space)

    def _follows(self, space: Space, goals: Mapping[str, str], history: Sequence[Point]) -> bool:
        """Whether the history goes on from the one that was told."""
        if space != self._space or dict(goals) != self._goals:
            return False
        if not self._told:
            return True
        last = next(reversed(self._told.values()))
        return any(point.number == last.number and point.values == last.values for point in history)

    def _tell(self, goals: Mapping[str, str], history: Sequence[Point], attributes: Attributes) -> None:
        for point in history:
            if point.number not in self._told and point.state == "done" and point.fidelity >= 1:
                trial = make_trial(point, self._distributions, goals, attributes(len(self._told)))
                self._study.add_trial(trial)
                self._told[point.number] = point

    def _open(self, point: Point, goals: Mapping[str, str]) -> int:
        self._study.add_trial(make_trial(point, self._distributions, goals))
        return len(self._study.get_trials(deepcopy=False)) - 1

    @property
    def _failed(self) -> Any:
        from optuna.trial import TrialState

        return TrialState.FAIL
