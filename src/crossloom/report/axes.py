"""Axes, bars and legends that several pictures share."""

from collections.abc import Sequence
from html import escape
from math import log10
from typing import Any

from crossloom.report.formats import shorten

MANY = 8
_BAR_HEIGHT = 30
_WIDE = 6


def layer_axis(names: Sequence[str]) -> dict[str, Any]:
    """Layers from left to right, their names turned where they are many."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": [escape(shorten(name)) for name in names],
        "tickangle": -40 if len(names) > MANY else 0,
        "range": [-0.6, len(names) - 0.4],
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
    }


def top_legend() -> dict[str, Any]:
    """A legend above the picture, from the left."""
    legend = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    return {"showlegend": True, "legend": legend | {"traceorder": "normal"}}


def horizontal_bars(
    names: Sequence[str],
    values: Sequence[float],
    colors: Sequence[str],
    title: str,
    unit: str,
    ranges: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """Bars from the left, the first on top, with the lowest and the highest of each as error bars.

    Where the ranges leave no room for the bars, dots on a logarithmic axis take their place.
    """
    labels = [escape(name) for name in names]
    highs = [max(high, value) for (_, high), value in zip(ranges, values, strict=True)]
    is_log = max(highs, default=0) > _WIDE * max(values, default=0) > 0
    shown = [max(value, 0) or None for value in values] if is_log else list(values)
    common = {"y": labels, "x": shown, "hovertemplate": f"%{{y}}: %{{x:.4g}} {unit}<extra></extra>"}
    kind: dict[str, Any] = {"type": "bar", "orientation": "h", "marker": {"color": list(colors)}}
    if is_log:
        kind = {"type": "scatter", "mode": "markers", "marker": {"color": list(colors), "size": 11}}
    error_x = {"error_x": error_bars(values, ranges)} if any(low != high for low, high in ranges) else {}
    layout = {
        "height": 70 + _BAR_HEIGHT * len(names),
        "bargap": 0.35,
        "showlegend": False,
        "margin": {"l": 16, "r": 24, "t": 8, "b": 44},
        "xaxis": {"title": {"text": title}, **_scale(values, ranges, highs, is_log)},
        "yaxis": {"autorange": "reversed", "automargin": True, "showgrid": False, "ticksuffix": "  "},
        "annotations": [
            _label(name, log10(high) if is_log and high > 0 else high, f"{value:.3g}")
            for name, high, value in zip(labels, highs, values, strict=True)
        ],
    }
    return {"data": [common | kind | error_x], "layout": layout}


def _scale(
    values: Sequence[float], ranges: Sequence[tuple[float, float]], highs: Sequence[float], is_log: bool
) -> dict[str, Any]:
    """An axis with room for the figures on its right."""
    if not is_log:
        return {"range": [0, max(highs, default=0) * 1.15 or 1]}
    known = [min(low, value) or value for (low, _), value in zip(ranges, values, strict=True) if value > 0]
    ends = log10(min(known)), log10(max(highs))
    room = 0.12 * (ends[1] - ends[0])
    return {
        "type": "log",
        "range": [ends[0] - room / 2, ends[1] + room],
        "dtick": 1,
        "tickformat": "~g",
    }


def error_bars(values: Sequence[float], ranges: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """From the lowest to the highest of each value."""
    pairs = list(zip(values, ranges, strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(high - value, 0) for value, (_, high) in pairs],
        "arrayminus": [max(value - low, 0) for value, (low, _) in pairs],
        "color": "var(--ink)",
        "thickness": 1,
        "width": 3,
    }


def _label(name: str, x: float, text: str) -> dict[str, Any]:
    place = {"x": x, "xanchor": "left", "xshift": 9, "y": name, "showarrow": False}
    return place | {"text": text, "font": {"size": 11, "color": "var(--muted)"}}
