"""Which knobs matter."""

import warnings
from collections.abc import Sequence

from crossloom.search.libraries import import_library
from crossloom.search.optuna_study import tell_all
from crossloom.search.outcome import Point
from crossloom.search.space import Space

_FEWEST = 20


def measure_importance(space: Space, goal: str, sign: float, points: Sequence[Point]) -> dict[str, float]:
    """The share of each knob in reaching the best tenth of a goal (PED-ANOVA); sign: 1 where less is better.

    Empty when there are fewer than 20 points (two in the best tenth), or the goal never changes.
    """
    values = {point.outcome.values[goal] for point in points if point.outcome is not None}
    if len(points) < _FEWEST or len(values) < 2:
        return {}
    importance = import_library("optuna.importance")
    study = tell_all(space, {goal: "minimise"}, points)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "PedAnova"
        )  # it reminds us that less is better, which `sign` sees to
        return importance.get_param_importances(
            study,
            evaluator=importance.PedAnovaImportanceEvaluator(evaluate_on_local=False),
            target=lambda trial: sign * trial.values[0],
        )
