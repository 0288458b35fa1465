"""The pictures of a study."""

from html import escape
from typing import Any

from crossloom.report.axes import top_legend
from crossloom.report.colors import layer_colors
from crossloom.report.study.columns import goal_scales, short_knob
from crossloom.report.study.front_figure import draw_front

Figure = dict[str, Any]


def draw_study(facts: dict[str, Any]) -> dict[str, Figure]:
    """All pictures that the facts allow, by name."""
    done = [point for point in facts["points"] if point["state"] == "done"]
    figures = {}
    if done and len(facts["goals"]) > 1:
        figures["study_front"] = draw_front(facts)
    if facts["trajectory"]:
        figures["study_trajectory"] = _trajectory(facts)
    if any(facts["importance"].values()):
        figures["study_importance"] = _importance(facts)
    return figures


def _trajectory(facts: dict[str, Any]) -> Figure:
    """Best so far, or hypervolume, against what has been spent."""
    is_single = len(facts["goals"]) == 1
    goal = facts["goals"][0]
    scale = goal_scales(facts)[goal["name"]]
    last = facts["trajectory"][-1][1]
    factor = scale.factor if is_single else 100 / last if last else 1.0
    title = scale.title(f"best {goal['name']}") if is_single else "hypervolume (% of the last)"
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "best so far" if is_single else "hypervolume",
        "line": {"color": "var(--accent)", "width": 2, "shape": "hv"},
        "x": [cost for cost, _ in facts["trajectory"]],
        "y": [None if value is None else value * factor for _, value in facts["trajectory"]],
        "hovertemplate": "after %{x:.4g}: %{y:.5g}<extra></extra>",
    }
    data = [_single(facts, goal["name"], factor), line] if is_single else [line]
    layout = {
        "height": 360,
        "margin": {"l": 70, "r": 16, "t": 40, "b": 52},
        "xaxis": {
            "title": {"text": f"compute spent{' (s)' if facts['cost_is_seconds'] else ''}"},
            "zeroline": False,
        },
        "yaxis": {"title": {"text": escape(title)}, "zeroline": False},
        **(top_legend() if is_single else {"showlegend": False}),
    }
    return {"data": data, "layout": layout}


def _single(facts: dict[str, Any], goal: str, factor: float) -> dict[str, Any]:
    """With one goal, every point of full fidelity at the cost at which it came."""
    x, y, errors, words, spent = [], [], [], [], 0.0
    for point in facts["points"]:
        spent += point["cost"] or 0.0
        if goal in point["values"] and point["fidelity"] >= 1:
            x.append(spent)
            y.append(point["values"][goal] * factor)
            errors.append(point["errors"][goal] * factor if goal in point["errors"] else None)
            words.append(point["number"])
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "points",
        "x": x,
        "y": y,
        "marker": {"size": 5, "color": "var(--muted)", "opacity": 0.6},
        "error_y": {"type": "data", "array": errors, "color": "var(--muted)", "thickness": 1, "width": 0},
        "customdata": words,
        "hovertemplate": "point %{customdata}: %{y:.5g}<extra></extra>",
    }


def _importance(facts: dict[str, Any]) -> Figure:
    """The share that each knob has in reaching the best of each goal."""
    goals = [name for name, shares in facts["importance"].items() if shares]
    knobs = list(dict.fromkeys(knob for goal in goals for knob in facts["importance"][goal]))
    weight = {knob: sum(facts["importance"][goal].get(knob, 0.0) for goal in goals) for knob in knobs}
    knobs.sort(key=lambda knob: -weight[knob])
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": escape(goal),
            "y": [escape(short_knob(knob)) for knob in knobs],
            "x": [100 * facts["importance"][goal].get(knob, 0.0) for knob in knobs],
            "marker": {"color": color},
            "hovertemplate": "%{y}: %{x:.1f}% of %{fullData.name}<extra></extra>",
        }
        for goal, color in zip(goals, layer_colors(len(goals)), strict=True)
    ]
    layout = {
        "height": 120 + max(26, 11 * len(goals)) * len(knobs),
        "bargap": 0.25,
        "margin": {"l": 16, "r": 16, "t": 40, "b": 48},
        "xaxis": {"title": {"text": "share in reaching the goal's best tenth (%)"}, "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "automargin": True, "showgrid": False, "ticksuffix": "  "},
        **top_legend(),
    }
    return {"data": traces, "layout": layout}
