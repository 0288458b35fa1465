"""Our points as an Optuna study in memory: what its samplers, its Pareto fronts and its importances work on."""

from collections.abc import Mapping, Sequence
from typing import Any

from crossloom.search.knobs import Choice, Int, Knob
from crossloom.search.libraries import import_library
from crossloom.search.outcome import Point
from crossloom.search.space import Space


def make_study(goals: Mapping[str, str]) -> Any:
    """An empty Optuna study in memory that says nothing on the terminal."""
    optuna = import_library("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions = [way.replace("ise", "ize") for way in goals.values()]
    return optuna.create_study(directions=directions)


def make_distributions(space: Space) -> dict[str, Any]:
    """Optuna's distribution of every knob."""
    return {name: _distribution(knob) for name, knob in space.knobs.items()}


def make_trial(
    point: Point,
    distributions: Mapping[str, Any],
    goals: Mapping[str, str],
    attributes: Mapping[str, Any] | None = None,
) -> Any:
    """A point as an Optuna trial: complete with an outcome, else running."""
    optuna = import_library("optuna")
    state = optuna.trial.TrialState
    values = None if point.outcome is None else [point.outcome.values[name] for name in goals]
    return optuna.trial.create_trial(
        state=state.RUNNING if values is None else state.COMPLETE,
        values=values,
        params=dict(point.values),
        distributions=dict(distributions),
        system_attrs=dict(attributes or {}),
        user_attrs={"number": point.number},
    )


def tell_all(space: Space, goals: Mapping[str, str], points: Sequence[Point]) -> Any:
    """An Optuna study of these finished points."""
    study, distributions = make_study(goals), make_distributions(space)
    study.add_trials([make_trial(point, distributions, goals) for point in points])
    return study


def _distribution(knob: Knob) -> Any:
    kinds = import_library("optuna").distributions
    if isinstance(knob, Choice):
        return kinds.CategoricalDistribution(knob.options)
    if isinstance(knob, Int):
        return kinds.IntDistribution(knob.low, knob.high, log=knob.log, step=knob.step)
    return kinds.FloatDistribution(knob.low, knob.high, log=knob.log, step=knob.step)
