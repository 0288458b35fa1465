"""Any knob by any sampler: each point is the whole network once, with these values."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from crossloom.errors import SearchError
from crossloom.programming import ProgrammedChips, Strategy
from crossloom.search import Budget, Knob, Outcome, Sampler, Space, Study, Tpe, sweep
from crossloom.search.tuning.config import ReferenceKind
from crossloom.search.tuning.naming import Names, make_names
from crossloom.search.tuning.reference import make_reference
from crossloom.search.tuning.result import Scores, TuningResult
from crossloom.search.tuning.samples import Data, split
from crossloom.search.tuning.scoring import Judge, Spending, make_judge, mvms_per_sample


@dataclass(frozen=True)
class Knobs:
    """Knobs by name (see `Names`), and how they are searched.

    goal: what is asked for on the samples to tune with: least `error`, or most `accuracy`, which needs labels.
    sampler: Tpe() unless given.  budget: 50 points unless given; its `cost` is in network evaluations.
    store: a file in which points are kept, so that a search goes on where it was.
    reference, num_samples, held_out, seed: as for `LayerByLayer`.
    """

    knobs: Mapping[str, Knob]
    goal: Literal["error", "accuracy"] = "error"
    sampler: Sampler | None = None
    budget: Budget | None = None
    store: str | Path | None = None
    reference: ReferenceKind | None = None
    num_samples: int = 64
    held_out: float = 0.5
    seed: int = 0


def tune_knobs(
    chips: ProgrammedChips, data: Data, config: Knobs, strategy: Strategy | None = None
) -> TuningResult:
    """Search; the best point's chips, if they are better than these on the samples held out.

    Raises SearchError for knobs that do not exist, before anything runs.
    """
    tuned, held = split(chips, data, config.num_samples, config.held_out)
    if config.goal == "accuracy" and tuned.labels is None:
        raise SearchError("the goal accuracy needs labels: give a Dataset, or take the goal error")
    names = make_names(chips, tuned.samples, strategy)
    names.check(config.knobs)
    reference = make_reference(chips, tuned, config.reference)
    spending = Spending(sum(mvms_per_sample(chips).values()) * len(tuned))
    study = _search(_Objective(names, make_judge(tuned, reference, spending, config.seed)), config)
    judge = make_judge(held, reference, spending, config.seed)
    before = judge(chips)
    best = dict(study.best.values) if study.best is not None else {}
    found = names.applied(best)
    return _result(study, best, (before, judge(found)), found, chips, spending)


@dataclass(frozen=True)
class _Objective:
    """The scores of the network with some values; its cost is in network evaluations."""

    names: Names
    judge: Judge

    def __call__(self, values: Mapping[str, Any], fidelity: float = 1.0) -> Outcome:
        before = self.judge.spending.num_evaluations
        scores = self.judge(self.names.applied(values))
        extra = {} if scores.accuracy is None else {"accuracy": scores.accuracy}
        cost = self.judge.spending.num_evaluations - before
        return Outcome({"error": scores.error, **extra}, cost=cost)


def _search(objective: _Objective, config: Knobs) -> Study:
    goals = {config.goal: "minimise" if config.goal == "error" else "maximise"}
    return sweep(
        objective,
        Space(config.knobs),
        goals,  # type: ignore[arg-type]
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
    costs = accumulate(point.cost for point in done)
    errors = [point.outcome.values["error"] for point in done if point.outcome is not None]
    notes = [f"{len(done)} of {len(study.points)} points gave figures"]
    is_better = bool(best) and after.error < before.error
    if not is_better:
        notes.append("no point is better on the samples held out: these are the chips as they were")
    return TuningResult(
        "general",
        before,
        after if is_better else before,
        (),
        _worth(study, before, after) if is_better else {},
        tuple(zip(costs, errors, strict=True)),
        spending.num_evaluations,
        spending.num_mvms,
        tuple(notes),
        values=best if is_better else {},
        found=found.corrections if is_better else chips.corrections,
        chips=found if is_better else chips,
    )


def _worth(study: Study, before: Scores, after: Scores) -> dict[str, float]:
    """The gain, shared out by each knob's importance (`Study.importance`); nothing where points are too few to tell."""
    if before.accuracy is None or after.accuracy is None:
        gain = before.error - after.error
    else:
        gain = after.accuracy - before.accuracy
    shares = next(iter(study.importance().values()), {})
    return {name: share * gain for name, share in shares.items()}
