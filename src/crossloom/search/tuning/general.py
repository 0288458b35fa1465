"""Any knob by any sampler: each point is the whole network once, with these values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, get_args

from crossloom.errors import ConfigError, MissingDependencyError, SearchError
from crossloom.hardware import Copyable
from crossloom.programming import ProgrammedChips, Strategy
from crossloom.search import Budget, Knob, Outcome, Sampler, Space, Study, Tpe, sweep
from crossloom.search.tuning.config import ReferenceKind, TuningConfig
from crossloom.search.tuning.identity import name_tuning
from crossloom.search.tuning.naming import Names, make_names
from crossloom.search.tuning.reference import make_reference
from crossloom.search.tuning.result import Scores, TuningResult
from crossloom.search.tuning.samples import Data, split
from crossloom.search.tuning.scoring import Judge, Spending, make_judge, mvms_per_sample

Goal = Literal["error", "accuracy"]


@dataclass(frozen=True)
class Knobs:
    """Knobs by name (see `Names`), and how they are searched.

    goal: what is asked for on the samples to tune with: least `error`, or most `accuracy`, which needs labels.
    sampler: Tpe() unless given.  budget: 50 points unless given; its `cost` is in network evaluations.
    store: a file in which points are kept, so that a search of the same chips on the same data goes on where it was.
    reference, num_samples, held_out, seed: as for `LayerByLayer`.
    """

    knobs: Mapping[str, Knob]
    goal: Goal = "error"
    sampler: Sampler | None = None
    budget: Budget | None = None
    store: str | Path | None = None
    reference: ReferenceKind | None = None
    num_samples: int = 64
    held_out: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.goal not in get_args(Goal):
            raise ConfigError(f"goal: need {' or '.join(get_args(Goal))}, got {self.goal!r}")
        TuningConfig(
            reference=self.reference, num_samples=self.num_samples, held_out=self.held_out, seed=self.seed
        )


def tune_knobs(
    chips: ProgrammedChips, data: Data, config: Knobs, strategy: Strategy | None = None
) -> TuningResult:
    """Search; the best point's chips, if they are better than these on the samples held out.

    Raises SearchError for knobs that do not exist, before anything runs.
    """
    space = Space(config.knobs)
    tuned, held = split(chips, data, config.num_samples, config.held_out)
    if config.goal == "accuracy" and tuned.labels is None:
        raise SearchError("the goal accuracy needs labels: give a Dataset, or take the goal error")
    names = make_names(chips, tuned.samples, strategy)
    names.check(space.knobs)
    reference = make_reference(chips, tuned, config.reference)
    spending = Spending(sum(mvms_per_sample(chips).values()) * len(tuned))
    judge = make_judge(held, reference, spending, config.seed)
    before = judge(chips)  # first: chips that cannot be copied are not the same after a search
    objective = _Objective(
        names, make_judge(tuned, reference, Spending(spending.mvms_per_evaluation), config.seed)
    )
    about = name_tuning(chips, tuned, reference.kind, names.strategy, config.seed)
    study = _search(partial(_score, objective=objective, about=about), space, config)
    best = dict(study.best.values) if study.best is not None else {}
    found = names.applied(best)
    return _result(study, best, (before, judge(found) if best else before), found, chips, spending)


@dataclass(frozen=True)
class _Objective:
    """The scores of the network with some values; its cost is in network evaluations."""

    names: Names
    judge: Judge

    def __call__(self, values: Mapping[str, Any]) -> Outcome:
        before = self.judge.spending.num_evaluations
        scores = self.judge(self.names.applied(values))
        extra = {} if scores.accuracy is None else {"accuracy": scores.accuracy}
        cost = self.judge.spending.num_evaluations - before
        return Outcome({"error": scores.error, **extra}, cost=cost)


def _score(values: Mapping[str, Any], *, objective: _Objective, about: str) -> Outcome:
    """What the objective gives; `about` names chips and data in a store, which refuses to go on with others."""
    return objective(values)


def _search(objective: partial[Outcome], space: Space, config: Knobs) -> Study:
    goals = {config.goal: "minimise" if config.goal == "error" else "maximise"}
    return sweep(
        objective,
        space,
        goals,
        sampler=config.sampler or Tpe(),
        budget=config.budget or Budget(points=50),
        store=config.store,
        seed=config.seed,
    )


def _result(
    study: Study,
    best: dict[str, Any],
    scores: tuple[Scores, Scores],
    found: ProgrammedChips,
    chips: ProgrammedChips,
    spending: Spending,
) -> TuningResult:
    before, after = scores
    done = [point for point in study.points if point.state == "done"]
    costs = list(accumulate(point.cost for point in done))
    errors = [point.outcome.values["error"] for point in done if point.outcome is not None]
    num_evaluations = spending.num_evaluations + (costs[-1] if costs else 0.0)
    is_better = bool(best) and after.error < before.error
    notes = [_told(study, len(done)), *([] if is_better else [_not_better(best, chips)])]
    return TuningResult(
        "general",
        before,
        after if is_better else before,
        (),
        _worth(study, before, after) if is_better else {},
        tuple(zip(costs, accumulate(errors, min), strict=True)),
        num_evaluations,
        round(num_evaluations * spending.mvms_per_evaluation),
        tuple(notes),
        values=best if is_better else {},
        found=found.corrections if is_better else chips.corrections,
        chips=found if is_better else chips,
    )


def _told(study: Study, num_done: int) -> str:
    """How many points gave figures, and why the first of the others did not."""
    failures = [point.failure for point in study.points if point.state == "failed" and point.failure]
    why = f"; the first that failed: {failures[0].strip().splitlines()[-1]}" if failures else ""
    return f"{num_done} of {len(study.points)} points gave figures{why}"


def _not_better(best: dict[str, Any], chips: ProgrammedChips) -> str:
    is_changed = any(not name.startswith("layers.") for name in best)
    if is_changed and not isinstance(chips.backend, Copyable):
        return "no point is better on the samples held out; program these chips again to have them back"
    return "no point is better on the samples held out: these are the chips as they were"


def _worth(study: Study, before: Scores, after: Scores) -> dict[str, float]:
    """The gain, shared out by each knob's importance (`Study.importance`); nothing where points are too few to tell,
    or the library that tells is not installed."""
    if before.accuracy is None or after.accuracy is None:
        gain = before.error - after.error
    else:
        gain = after.accuracy - before.accuracy
    try:
        shares = next(iter(study.importance().values()), {})
    except MissingDependencyError:
        return {}
    return {name: share * gain for name, share in shares.items()}
