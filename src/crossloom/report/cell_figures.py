"""Pictures of cells: conductances, errors, pulses, and the worst tile."""

from html import escape
from itertools import pairwise
from math import log10
from typing import Any

from crossloom.report.colors import level_colors
from crossloom.report.formats import show_siemens
from crossloom.units import format_si

_MICRO = 1e6
_DIVERGING = [[0, "#b2313f"], [0.25, "#e79a86"], [0.5, "#f5f4f2"], [0.75, "#8fb4dc"], [1, "#2a5aa6"]]


def draw_conductances(programming: dict[str, Any]) -> dict[str, Any]:
    """How many cells were to have, and have, each conductance."""
    histogram = programming["conductance"]
    measured = _steps(histogram["edges"], histogram["measured"]) | {
        "name": "measured",
        "fill": "tozeroy",
        "line": {"color": "var(--accent)", "width": 1.5, "shape": "hv"},
        "fillcolor": "var(--accent-soft)",
    }
    layout = _layout("conductance (µS)", "cells") | {
        "showlegend": True,
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
    }
    layout["yaxis"] |= _logarithmic([*histogram["measured"], *histogram["targets"]])
    return {"data": [measured, _targets(programming)], "layout": layout}


def _targets(programming: dict[str, Any]) -> dict[str, Any]:
    """Targets as stems where they are few, as a histogram where they are many."""
    levels, histogram = programming["levels"], programming["conductance"]
    if not levels:
        line = {"color": "var(--bad)", "width": 1.5, "shape": "hv"}
        return _steps(histogram["edges"], histogram["targets"]) | {"name": "targets", "line": line}
    span = (histogram["edges"][-1] - histogram["edges"][0]) * _MICRO
    return {
        "type": "bar",
        "name": "targets",
        "x": [level["target"] * _MICRO for level in levels],
        "y": [level["num_cells"] for level in levels],
        "width": [span / 250] * len(levels),
        "marker": {"color": "var(--bad)"},
        "hovertemplate": "target %{x:.2f} µS: %{y:,} cells<extra></extra>",
    }


def draw_levels(programming: dict[str, Any]) -> dict[str, Any]:
    """Where the cells of every target ended: levels that overlap are told apart badly."""
    levels, edges = programming["levels"], programming["conductance"]["edges"]
    traces = []
    for level, color in zip(levels, level_colors(len(levels)), strict=True):
        shares = [100 * count / max(level["num_cells"], 1) for count in level["measured"]]
        trace = _trimmed(_steps(edges, shares, "%{y:.1f}% at %{x:.2f} µS"))
        line = {"color": color, "width": 1.5, "shape": "hv"}
        traces.append(trace | {"line": line, "name": f"target {level['target'] * _MICRO:.2f} µS"})
    marks = [_mark(level["target"] * _MICRO, "var(--muted)") for level in levels]
    return {
        "data": traces,
        "layout": _layout("measured conductance (µS)", "share of the level's cells (%)", marks),
    }


def draw_errors(programming: dict[str, Any]) -> dict[str, Any]:
    """Measured less target, with the root mean square on either side."""
    edges, spread = programming["error"]["edges"], programming["error_std"] * _MICRO
    trace = _bars(edges, programming["error"]["counts"], "%{x:.2f} µS: %{y:,} cells")
    marks = [_mark(0, "var(--muted)"), *(_mark(side * spread, "var(--bad)") for side in (-1, 1) if spread)]
    layout = _layout("measured − target (µS)", "cells", marks)
    label = {"x": spread, "xanchor": "left", "xshift": 4, "yref": "paper", "y": 0.97, "showarrow": False}
    layout["annotations"] = [label | {"text": f"rms {show_siemens(programming['error_std'])}"}]
    return {"data": [trace], "layout": layout}


def draw_pulses(pulses: dict[str, Any]) -> dict[str, Any]:
    """How many pulses cells took."""
    centres = [(first + last) / 2 for first, last in zip(pulses["first"], pulses["last"], strict=True)]
    pairs = zip(pulses["first"], pulses["last"], strict=True)
    trace = {
        "type": "bar",
        "x": centres,
        "y": pulses["counts"],
        "width": [pulses["last"][0] - pulses["first"][0] + 0.9] * len(centres),
        "marker": {"color": "var(--accent)"},
        "customdata": [str(first) if first == last else f"{first}–{last}" for first, last in pairs],
        "hovertemplate": "%{customdata} pulses: %{y:,} cells<extra></extra>",
    }
    layout = _layout("pulses", "cells")
    layout["yaxis"] |= _logarithmic(pulses["counts"])
    if pulses["last"][-1] < 12:
        layout["xaxis"]["dtick"] = 1
    return {"data": [trace], "layout": layout}


def draw_worst_tile(tile: dict[str, Any]) -> dict[str, Any]:
    """The errors of the worst tile, cell by cell; its long side lies."""
    errors = [[value * _MICRO for value in row] for row in tile["errors"]]
    steps, titles = (tile["columns_per_point"], tile["rows_per_point"]), ("column", "row")
    if tile["num_rows"] > tile["num_columns"]:
        errors, steps, titles = (
            [list(column) for column in zip(*errors, strict=True)],
            steps[::-1],
            titles[::-1],
        )
    largest = max(max(abs(value) for value in row) for row in errors) or 1.0
    trace = {
        "type": "heatmap",
        "z": [[round(value, 4) for value in row] for row in errors],
        "dx": steps[0],
        "dy": steps[1],
        "zmin": -largest,
        "zmax": largest,
        "colorscale": _DIVERGING,
        "colorbar": {"ticksuffix": " µS", "nticks": 7, "thickness": 12, "outlinewidth": 0},
        "hovertemplate": f"{titles[0]} %{{x}}, {titles[1]} %{{y}}: %{{z:.2f}} µS<extra>{escape(tile['layer'])}</extra>",
    }
    layout = _layout(titles[0], titles[1])
    layout["yaxis"] |= {"autorange": "reversed", "showgrid": False}
    layout["xaxis"] |= {"showgrid": False}
    return {"data": [trace], "layout": layout}


def _steps(
    edges: list[float], counts: list[float], hover: str = "%{x:.2f} µS: %{y:,} cells"
) -> dict[str, Any]:
    """A histogram as a line; zero counts stay, so that it closes at both ends."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [round(edge * _MICRO, 4) for edge in edges],
        "y": [*counts, counts[-1]],
        "hovertemplate": f"{hover}<extra></extra>",
    }


def _trimmed(trace: dict[str, Any]) -> dict[str, Any]:
    """The line without the zeros before its first and after its last point but one."""
    found = [number for number, height in enumerate(trace["y"]) if height]
    first, last = max(found[0] - 1, 0), found[-1] + 2
    return trace | {"x": trace["x"][first:last], "y": trace["y"][first:last]}


def _bars(edges: list[float], counts: list[int], hover: str) -> dict[str, Any]:
    centres = [(low + high) / 2 * _MICRO for low, high in pairwise(edges)]
    return {
        "type": "bar",
        "x": [round(centre, 5) for centre in centres],
        "y": counts,
        "width": [(edges[1] - edges[0]) * _MICRO] * len(counts),
        "marker": {"color": "var(--accent)", "line": {"width": 0}},
        "hovertemplate": f"{hover}<extra></extra>",
    }


def _mark(x: float, color: str) -> dict[str, Any]:
    line = {"color": color, "width": 1, "dash": "dot"}
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _logarithmic(counts: list[int]) -> dict[str, Any]:
    """A logarithmic axis from half a cell to above the highest bar."""
    top = log10(max(*counts, 1))
    decades = [10**power for power in range(int(top) + 1)]
    return {
        "type": "log",
        "range": [-0.3, top + 0.3],
        "tickvals": decades,
        "ticktext": [format_si(decade, "").strip() for decade in decades],
    }


def _layout(across: str, up: str, shapes: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "height": 280,
        "bargap": 0,
        "margin": {"l": 64, "r": 16, "t": 28, "b": 48},
        "showlegend": False,
        "xaxis": {"title": {"text": across}, "zeroline": False},
        "yaxis": {"title": {"text": up}, "zeroline": False},
        "shapes": shapes or [],
    }
