"""The picture of the Pareto front: two goals at a time, or a goal against a knob."""

from collections.abc import Sequence
from html import escape
from itertools import permutations
from typing import Any

from crossloom.report.axes import top_legend
from crossloom.report.study.columns import Column, make_columns
from crossloom.report.study.facts import MAXIMISE
from crossloom.report.study.words import describe_point

_STAIRS = 0


def draw_front(facts: dict[str, Any]) -> dict[str, Any]:
    """Every point that is done, those of the front with their errors, and the border of what was reached.

    `axes` holds what the page needs to put other columns on the axes: of every column its title, values and
    errors; of every trace its points; of every two goals the border.
    """
    points = [point for point in facts["points"] if point["state"] == "done"]
    columns = make_columns(facts, points)
    groups = _groups(points)
    x, y = columns[1], columns[0]
    traces = [_stairs_trace(x, y, points), *(_markers(name, own, x, y) for name, own in groups.items())]
    for trace, own in zip(traces[1:], groups.values(), strict=True):
        trace["customdata"] = [describe_point(facts, points[number]) for number in own]
    layout = {
        "height": 520,
        "margin": {"l": 70, "r": 16, "t": 40, "b": 52},
        "hovermode": "closest",
        "xaxis": _axis(x),
        "yaxis": _axis(y),
        **top_legend(),
    }
    return {"data": traces, "layout": layout, "axes": _choices(columns, list(groups.values()), points)}


def _groups(points: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    """Numbers of the points by what they are; groups without points are left out."""
    groups: dict[str, list[int]] = {"of lower fidelity": [], "other points": [], "Pareto front": []}
    for number, point in enumerate(points):
        name = (
            "Pareto front"
            if point["is_on_front"]
            else "other points"
            if point["fidelity"] >= 1
            else "of lower fidelity"
        )
        groups[name].append(number)
    return {name: own for name, own in groups.items() if own}


_LOOKS = {
    "of lower fidelity": {"symbol": "circle-open", "size": 5, "color": "var(--muted)", "opacity": 0.5},
    "other points": {"size": 6, "color": "var(--muted)", "opacity": 0.55},
    "Pareto front": {"size": 9, "color": "var(--accent)", "line": {"width": 1, "color": "var(--card)"}},
}


def _markers(name: str, own: list[int], x: Column, y: Column) -> dict[str, Any]:
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": f"{name} ({len(own)})",
        "x": _take(x.values, own, x.scale.factor),
        "y": _take(y.values, own, y.scale.factor),
        "marker": _LOOKS[name],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    if name == "Pareto front":
        trace |= {f"error_{letter}": _errors(column, own) for letter, column in (("x", x), ("y", y))}
    return trace


def _errors(column: Column, own: list[int]) -> dict[str, Any]:
    sizes = _take(column.errors, own, column.scale.factor)
    return {"type": "data", "array": sizes, "color": "var(--accent)", "thickness": 1, "width": 3}


def _take(values: Sequence[float | None], own: Sequence[int], factor: float) -> list[float | None]:
    return [None if values[number] is None else values[number] * factor for number in own]  # type: ignore[operator]


def _stairs_trace(x: Column, y: Column, points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    own = find_border(x, y, points)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "border of these two goals",
        "x": _take(x.values, own, x.scale.factor),
        "y": _take(y.values, own, y.scale.factor),
        "line": {"color": "var(--accent)", "width": 1.5, "dash": "dot", "shape": _shape(x)},
        "hoverinfo": "skip",
    }


def _shape(x: Column) -> str:
    """Between two points the one with the smaller demand on x holds."""
    return "vh" if x.direction == MAXIMISE else "hv"


def find_border(x: Column, y: Column, points: Sequence[dict[str, Any]]) -> list[int]:
    """The points that no other beats in both goals, from left to right; only full fidelity counts."""
    known = [
        number
        for number, point in enumerate(points)
        if point["fidelity"] >= 1 and x.values[number] is not None and y.values[number] is not None
    ]
    signs = [-1 if column.direction == MAXIMISE else 1 for column in (x, y)]
    known.sort(key=lambda number: (signs[0] * x.values[number], signs[1] * y.values[number]))  # type: ignore[operator]
    border, best = [], float("inf")
    for number in known:
        value = signs[1] * y.values[number]  # type: ignore[operator]
        if value < best:
            border.append(number)
            best = value
    return border if signs[0] > 0 else border[::-1]


def _axis(column: Column) -> dict[str, Any]:
    return {
        "title": {"text": escape(column.title)},
        "type": "log" if column.is_log else "linear",
        "fixedrange": False,
        "zeroline": False,
    }


def _choices(
    columns: list[Column], groups: list[list[int]], points: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What page.js needs to change the axes."""
    everything = range(len(points))
    goals = [number for number, column in enumerate(columns) if column.direction is not None]
    return {
        "x": 1,
        "y": 0,
        "columns": [
            {
                "name": column.name,
                "axis": _axis(column),
                "values": _take(column.values, everything, column.scale.factor),
                "errors": _take(column.errors, everything, column.scale.factor)
                if any(error is not None for error in column.errors)
                else None,
                "shape": _shape(column),
            }
            for column in columns
        ],
        "traces": [None, *groups],
        "stairs": _STAIRS,
        "borders": {
            f"{x},{y}": find_border(columns[x], columns[y], points) for x, y in permutations(goals, 2)
        },
    }
