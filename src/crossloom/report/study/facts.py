"""What a study holds, as plain data."""

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from crossloom.errors import MissingDependencyError
from crossloom.report.quantities import unit_of

if TYPE_CHECKING:
    from crossloom.search import Point, Study

Facts = dict[str, Any]
MAXIMISE = "maximise"


def gather_study(study: "Study", title: str | None = None) -> Facts:
    """All that is known of the search; values and errors in SI units, as the objective gave them."""
    front = {point.number for point in study.front}
    points = [_point(point, point.number in front) for point in study.points]
    importance, notes = _importance(study)
    return {
        "kind": "Study",
        "schema": 1,
        "title": title or study.name,
        "name": study.name,
        "goals": [
            {"name": name, "direction": way, "unit": _unit(study, name)} for name, way in study.goals.items()
        ],
        "knobs": [_knob(name, knob) for name, knob in study.space.knobs.items()],
        "points": points,
        "best": None if study.best is None else study.best.number,
        "hypervolume": study.hypervolume() if len(study.goals) > 1 else None,
        "trajectory": [[cost, value] for cost, value in study.trajectory],
        "importance": importance,
        "counts": {state: sum(point["state"] == state for point in points) for state in _STATES},
        "cost": sum(point["cost"] for point in points),
        "cost_is_seconds": all(point.outcome is None or point.outcome.cost is None for point in study.points),
        "seconds": sum(point["seconds"] or 0.0 for point in points),
        "notes": notes,
    }


_STATES = ("done", "failed", "running", "waiting")


def _unit(study: "Study", goal: str) -> str:
    """The unit that the goal's name gives away; accuracies above one are taken to be in per cent already."""
    unit = unit_of(goal)
    values = [point.outcome.values[goal] for point in study.points if point.outcome]
    return "" if unit == "%" and any(abs(value) > 1.5 for value in values) else unit


def _knob(name: str, knob: Any) -> Facts:
    facts: Facts = {"name": name, "kind": type(knob).__name__.lower()}
    for key in ("low", "high", "log", "step", "options"):
        if hasattr(knob, key):
            value = getattr(knob, key)
            facts[key] = list(value) if isinstance(value, tuple) else value
    return facts


def _point(point: "Point", is_on_front: bool) -> Facts:
    outcome = point.outcome
    return {
        "number": point.number,
        "state": point.state,
        "fidelity": point.fidelity,
        "knobs": dict(point.values),
        "values": _finite(outcome.values) if outcome else {},
        "errors": _finite(outcome.errors) if outcome else {},
        "cost": point.cost,
        "seconds": point.seconds,
        "is_on_front": is_on_front,
        "failure": point.failure,
        "reason": point.reason if point.state == "failed" else None,
    }


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if isfinite(value)}


def _importance(study: "Study") -> tuple[dict[str, dict[str, float]], list[str]]:
    """For each goal, the share that each knob has in reaching its best tenth; and why there may be none."""
    try:
        found = {goal: dict(shares) for goal, shares in study.importance().items()}
    except MissingDependencyError as error:
        return {}, [f"what each knob matters is left out: {error}"]
    return {goal: shares for goal, shares in found.items() if shares}, []
