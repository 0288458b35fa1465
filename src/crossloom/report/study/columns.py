"""What can be put on an axis: goals, and knobs that are numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crossloom.report.quantities import Scale, scale_for
from crossloom.report.study.facts import MAXIMISE

_WIDE = 50.0


@dataclass(frozen=True)
class Column:
    """One number for each point. `direction`: of a goal; None for a knob."""

    name: str
    values: tuple[float | None, ...]
    errors: tuple[float | None, ...]
    direction: str | None
    scale: Scale
    is_log: bool

    @property
    def title(self) -> str:
        """The name and the unit, with what is better."""
        better = "" if self.direction is None else " → better" if self.direction == MAXIMISE else " ← better"
        return f"{self.scale.title(short_knob(self.name))}{better}"


def make_columns(facts: dict[str, Any], points: Sequence[dict[str, Any]]) -> list[Column]:
    """Goals first, then knobs that are numbers."""
    goals = [_goal(goal, points) for goal in facts["goals"]]
    knobs = [_knob(knob, points) for knob in facts["knobs"] if _is_number(knob)]
    return [*goals, *knobs]


def goal_scales(facts: dict[str, Any]) -> dict[str, Scale]:
    """The scale of every goal, the same on the whole page."""
    done = [point for point in facts["points"] if point["state"] == "done"]
    return {
        goal["name"]: scale_for([point["values"].get(goal["name"]) for point in done], goal["unit"])
        for goal in facts["goals"]
    }


def short_knob(path: str) -> str:
    """The last parts of a dotted path, enough to be told apart by people.

    >>> short_knob("system.chip.core.macro.readout.bits"), short_knob("width")
    ('readout bits', 'width')
    """
    return " ".join(path.split(".")[-2:]).replace("_", " ")


def _goal(goal: dict[str, Any], points: Sequence[dict[str, Any]]) -> Column:
    name = goal["name"]
    values = tuple(point["values"].get(name) for point in points)
    errors = tuple(point["errors"].get(name) for point in points)
    return Column(name, values, errors, goal["direction"], scale_for(values, goal["unit"]), _is_wide(values))


def _knob(knob: dict[str, Any], points: Sequence[dict[str, Any]]) -> Column:
    values = tuple(point["knobs"].get(knob["name"]) for point in points)
    nothing = tuple(None for _ in points)
    return Column(knob["name"], values, nothing, None, Scale(), bool(knob.get("log")))


def _is_number(knob: dict[str, Any]) -> bool:
    options = knob.get("options", [])
    return all(isinstance(option, int | float) and not isinstance(option, bool) for option in options)


def _is_wide(values: Sequence[float | None]) -> bool:
    """Whether a logarithmic axis shows more."""
    known = [value for value in values if value is not None]
    return bool(known) and min(known) > 0 and max(known) / min(known) > _WIDE
