"""Figures of a study in words, for the page and for the terminal."""

from collections.abc import Sequence
from html import escape
from typing import Any

from crossloom.report.formats import UNKNOWN, show_number_of
from crossloom.report.quantities import Scale, scale_for
from crossloom.report.study.columns import short_knob
from crossloom.report.study.facts import MAXIMISE
from crossloom.units import format_si

_NEGLIGIBLE = 5e-4


def show_value(value: Any) -> str:
    """A knob's value.

    >>> show_value(4e-08), show_value(6), show_value("offset_column"), show_value(None)
    ('4e-08', '6', 'offset_column', 'none')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "none" if value is None else str(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show_outcome(point: dict[str, Any], goal: str, scale: Scale) -> str:
    """A figure with its standard error where three digits would show it, in the unit of the scale."""
    value, error = point["values"].get(goal), point["errors"].get(goal)
    if value is None:
        return UNKNOWN
    if not error or error < _NEGLIGIBLE * abs(value):
        return scale.show(value)
    return f"{scale.show(value)} ± {scale.show(error, 2)}"


def describe_point(facts: dict[str, Any], point: dict[str, Any]) -> str:
    """What is shown when one points at a point: HTML lines."""
    lines = [f"<b>point {point['number']}</b>"]
    if point["fidelity"] < 1:
        lines[0] += f" of fidelity {point['fidelity']:.3g}"
    for goal in facts["goals"]:
        value = point["values"].get(goal["name"])
        scale = scale_for([value], goal["unit"])
        text = f"{show_outcome(point, goal['name'], scale)} {scale.unit}".strip()
        lines.append(f"{escape(goal['name'])}: {text}")
    lines += [
        f"{escape(short_knob(name))} = {escape(show_value(value))}" for name, value in point["knobs"].items()
    ]
    return "<br>".join(lines)


def best_points(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The front from the best of the first goal on; with one goal, all points of full fidelity, best first."""
    goal = facts["goals"][0]
    sign = -1 if goal["direction"] == MAXIMISE else 1
    known = [p for p in facts["points"] if p["fidelity"] >= 1 and goal["name"] in p["values"]]
    if len(facts["goals"]) > 1:
        known = [point for point in known if point["is_on_front"]]
    return sorted(known, key=lambda point: sign * point["values"][goal["name"]])


def group_failures(facts: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Failed points by what they failed of, the most frequent first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for point in facts["points"]:
        if point["state"] == "failed":
            groups.setdefault(point["reason"], []).append(point)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def describe_counts(facts: dict[str, Any]) -> str:
    """How many points there are, and in what state."""
    counts = facts["counts"]
    states = [f"{counts[state]:,} {state}" for state in counts if counts[state]]
    return f"{show_number_of(len(facts['points']), 'point')}: {', '.join(states) or 'none yet'}"


def describe_goals(goals: Sequence[dict[str, Any]]) -> str:
    """What was sought."""
    return ", ".join(f"{goal['direction']} {goal['name']}" for goal in goals)


def describe_knob(knob: dict[str, Any]) -> str:
    """The values that a knob may have.

    >>> describe_knob({"name": "bits", "kind": "int", "low": 4, "high": 10, "log": False, "step": 1})
    '4 to 10'
    """
    if "options" in knob:
        return ", ".join(map(show_value, knob["options"]))
    log = ", logarithmic" if knob.get("log") else ""
    step = knob.get("step")
    by = f" in steps of {show_value(step)}" if step not in (None, 1) else ""
    return f"{show_value(knob['low'])} to {show_value(knob['high'])}{by}{log}"


def describe_effort(facts: dict[str, Any]) -> str:
    """What the search took."""
    points, work = show_number_of(len(facts["points"]), "point"), format_si(facts["seconds"], "s", 3)
    compute = (
        "" if facts["cost_is_seconds"] else f", {facts['cost']:.4g} of compute as the objective counts it"
    )
    return f"{points}: {work} of work{compute}."
