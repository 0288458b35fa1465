"""Pareto fronts and the volume that they dominate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crossloom.search.goals import signs
from crossloom.search.libraries import import_library
from crossloom.search.outcome import Point

_MARGIN = 0.1


def losses_of(goals: Mapping[str, str], points: Sequence[Point]) -> np.ndarray:
    """Losses [point, goal] of points that have outcomes: what is maximised is negated."""
    rows = [[point.outcome.values[name] for name in goals] for point in points if point.outcome is not None]
    return np.array(rows, dtype=float).reshape(len(rows), len(goals)) * np.array(signs(goals))


def is_on_front(losses: np.ndarray) -> np.ndarray:
    """Which of losses [point, goal] no other beats: Optuna's routine; points that are equal stay together."""
    if not len(losses):
        return np.zeros(0, dtype=bool)
    routines = import_library("optuna.study._multi_objective")
    return routines._is_pareto_front(losses, assume_unique_lexsorted=False)


def default_reference(losses: np.ndarray) -> np.ndarray:
    """The worst loss of each goal, and a tenth of the goal's range beyond it, so that the worst point counts too."""
    spread = losses.max(0) - losses.min(0)
    return losses.max(0) + _MARGIN * np.where(spread > 0, spread, 1.0)


def volume(losses: np.ndarray, reference: np.ndarray) -> float:
    """The volume between losses [point, goal] and a reference [goal]: Optuna's routine (WFG from four goals on)."""
    inside = losses[(losses < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside.min())
    return float(import_library("optuna._hypervolume").compute_hypervolume(inside, reference))


def volumes(losses: np.ndarray, reference: np.ndarray) -> list[float]:
    """The volume after every one of losses [point, goal], in their order.

    A point adds the volume of its own box less what earlier points dominate of it, which takes only their front.
    """
    front, total, found = np.empty((0, losses.shape[1])), 0.0, []
    for loss in losses:
        if (loss < reference).all() and not (front <= loss).all(axis=1).any():
            total += float(np.prod(reference - loss)) - volume(np.maximum(front, loss), reference)
            front = np.vstack([front[~(front >= loss).all(axis=1)], loss])
        found.append(total)
    return found


def check_reference(goals: Mapping[str, str], reference: Mapping[str, Any]) -> np.ndarray:
    """A reference given by name, as losses [goal]."""
    return np.array([float(reference[name]) for name in goals]) * np.array(signs(goals))
