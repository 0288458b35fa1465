"""What is sought: names of figures, and which way each is better."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from crossloom.errors import SearchError
from crossloom.registry import did_you_mean

Goal = Literal["maximise", "minimise"]
_WAYS = {"maximise": "maximise", "minimise": "minimise", "maximize": "maximise", "minimize": "minimise"}


def check_goals(goals: Any) -> dict[str, Goal]:
    """Goals in their usual spelling. SearchError for none, or for a way that is neither of the two."""
    if not isinstance(goals, Mapping) or not goals:
        raise SearchError(f'wants goals such as {{"accuracy": "maximise"}}, got {goals!r}')
    return {str(name): _check_way(name, way) for name, way in goals.items()}


def _check_way(name: Any, way: Any) -> Goal:
    if not isinstance(way, str) or way not in _WAYS:
        raise SearchError(
            f"goal {name!r} wants maximise or minimise, got {way!r}; {did_you_mean(str(way), list(_WAYS)[:2])}"
        )
    return cast(Goal, _WAYS[way])


def signs(goals: Mapping[str, str]) -> list[float]:
    """Factors that make every goal a loss: -1 for what is maximised, 1 for what is minimised."""
    return [-1.0 if way == "maximise" else 1.0 for way in goals.values()]
