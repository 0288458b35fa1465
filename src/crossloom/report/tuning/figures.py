"""The pictures of tuning."""

from html import escape
from typing import Any

from crossloom.report.axes import layer_axis, top_legend
from crossloom.report.colors import layer_colors
from crossloom.report.step_figure import draw_share_steps, draw_steps
from crossloom.report.tuning.words import knob_name

Figure = dict[str, Any]


def draw_tuning(facts: dict[str, Any]) -> dict[str, Figure]:
    """All pictures that the facts allow, by name."""
    figures = {"tuning_steps": _steps(facts)}
    if facts["layers"]:
        figures["tuning_layers"] = _layers(facts)
    if any(row["worth"] for row in facts["layers"]):
        figures["tuning_worth"] = _worth(facts)
    if len(facts["trajectory"]) > 1:
        figures["tuning_trajectory"] = _trajectory(facts)
    return figures


def knob_colors(facts: dict[str, Any]) -> dict[str, str]:
    """The same colour for a knob in every picture."""
    names = dict.fromkeys([*facts["worth"], *(knob for row in facts["layers"] for knob in row["worth"])])
    return dict(zip(names, layer_colors(len(names)), strict=True))


def _steps(facts: dict[str, Any]) -> Figure:
    """From the figure before to that after, one step for every kind of knob."""
    measure = facts["measure"]
    before, after = facts["before"][measure], facts["after"][measure]
    sign = 1 if measure == "accuracy" else -1
    steps = [(knob_name(name), sign * worth) for name, worth in facts["worth"].items()]
    rest = after - before - sum(change for _, change in steps)
    if steps and abs(rest) > 1e-3 * max(abs(before), abs(after)):
        steps.append(("the rest", rest))
    if measure == "error":
        return draw_steps(before, after, steps)
    spreads = (facts["before"]["standard_error"], facts["after"]["standard_error"])
    return draw_share_steps(before, after, steps, spreads)


def _layers(facts: dict[str, Any]) -> Figure:
    """The error of every layer before and after, side by side."""
    rows = facts["layers"]
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": list(range(len(rows))),
            "y": [row[key] for row in rows],
            "marker": {"color": color},
            "customdata": [escape(row["name"]) for row in rows],
            "hovertemplate": f"%{{customdata}}<br>{name}: %{{y:.4g}}<extra></extra>",
        }
        for name, key, color in (
            ("before", "error_before", "var(--muted)"),
            ("after", "error_after", "var(--accent)"),
        )
    ]
    return {"data": traces, "layout": _by_layer(rows, "error of the layer (NMSE)") | {"barmode": "group"}}


def _worth(facts: dict[str, Any]) -> Figure:
    """What each knob took away from the error of each layer; below zero, what it added."""
    rows, colors = facts["layers"], knob_colors(facts)
    names = list(dict.fromkeys(knob for row in rows for knob in row["worth"]))
    traces = [
        {
            "type": "bar",
            "name": escape(knob_name(knob)),
            "x": list(range(len(rows))),
            "y": [row["worth"].get(knob, 0.0) for row in rows],
            "marker": {"color": colors[knob]},
            "customdata": [escape(row["name"]) for row in rows],
            "hovertemplate": "%{customdata}<br>%{fullData.name}: %{y:.4g}<extra></extra>",
        }
        for knob in names
    ]
    return {"data": traces, "layout": _by_layer(rows, "error taken away (NMSE)") | {"barmode": "relative"}}


def _by_layer(rows: list[dict[str, Any]], title: str) -> dict[str, Any]:
    return {
        "height": 360,
        "bargap": 0.3,
        "margin": {"l": 64, "r": 8, "t": 40, "b": 24},
        "xaxis": layer_axis([row["name"] for row in rows]),
        "yaxis": {"title": {"text": title}},
        **top_legend(),
    }


def _trajectory(facts: dict[str, Any]) -> Figure:
    """The best error so far, after so many evaluations of the network."""
    line = {
        "type": "scatter",
        "mode": "lines",
        "line": {"color": "var(--accent)", "width": 2, "shape": "hv"},
        "x": [evaluations for evaluations, _ in facts["trajectory"]],
        "y": [error for _, error in facts["trajectory"]],
        "hovertemplate": "%{x:.4g} evaluations: error %{y:.4g}<extra></extra>",
    }
    layout = {
        "height": 300,
        "showlegend": False,
        "margin": {"l": 64, "r": 16, "t": 8, "b": 48},
        "xaxis": {
            "title": {"text": "evaluations of the network"},
            "zeroline": False,
        },
        "yaxis": {"title": {"text": "error (NMSE)"}, "rangemode": "tozero"},
    }
    return {"data": [line], "layout": layout}
