"""The picture of the way from one figure to another by named steps."""

from collections.abc import Sequence
from html import escape
from typing import Any

from crossloom.report.formats import show_change, show_share

Steps = Sequence[tuple[str, float]]
_ROOM = 0.12


def draw_share_steps(
    before: float, after: float, steps: Steps, spreads: tuple[float | None, float | None]
) -> dict[str, Any]:
    """The same for shares, of which more is better. spreads: standard errors of both ends, as error bars."""
    texts = [show_share(before), *(show_change(-change, 100) for _, change in steps), show_share(after)]
    changes = [(name, 100 * change) for name, change in steps]
    ends = [None if spread is None else 100 * spread for spread in spreads]
    return _draw(100 * before, 100 * after, changes, texts, "accuracy (%)", ends, 1)


def draw_steps(before: float, after: float, steps: Steps) -> dict[str, Any]:
    """Whole bars at both ends, floating ones between them; of an error, less is better."""
    texts = [f"{before:.3g}", *(f"{change:+.2g}".replace("-", "−") for _, change in steps), f"{after:.3g}"]
    return _draw(before, after, steps, texts, "error (NMSE)", [None, None], -1)


def _draw(
    before: float,
    after: float,
    steps: Steps,
    texts: Sequence[str],
    title: str,
    spreads: Sequence[float | None],
    better: int,
) -> dict[str, Any]:
    names = [escape(name) for name in ("before", *(name for name, _ in steps), "after")]
    bases, tops = _floating(before, after, steps)
    sizes = [spreads[0] or 0.0, *(0.0 for _ in steps), spreads[1] or 0.0]
    highs = [top + size for top, size in zip(tops, sizes, strict=True)]
    colors = ["var(--good)" if change * better > 0 else "var(--bad)" for _, change in steps]
    bars = {
        "type": "bar",
        "x": names,
        "base": bases,
        "y": [top - base for base, top in zip(bases, tops, strict=True)],
        "marker": {"color": ["var(--muted)", *colors, "var(--accent)"]},
        "customdata": list(texts),
        "hovertemplate": "%{x}: %{customdata}<extra></extra>",
    }
    layout = {
        "height": 320,
        "bargap": 0.35,
        "showlegend": False,
        "margin": {"l": 60, "r": 16, "t": 12, "b": 44},
        "xaxis": {"showgrid": False},
        "yaxis": _axis(title, _start(bases[1:-1], tops), max(highs)),
        "annotations": [
            _label(name, high, text) for name, high, text in zip(names, highs, texts, strict=True)
        ],
    }
    lines = [] if None in spreads else [_lines(names, (before, after), spreads)]
    return {"data": [bars, *lines], "layout": layout}


def _lines(
    names: Sequence[str], ends: tuple[float, float], spreads: Sequence[float | None]
) -> dict[str, Any]:
    """Error bars of both ends; bars between them have none."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [names[0], names[-1]],
        "y": list(ends),
        "marker": {"size": 1, "color": "var(--ink)"},
        "error_y": {
            "type": "data",
            "array": list(spreads),
            "color": "var(--ink)",
            "thickness": 1,
            "width": 4,
        },
        "hoverinfo": "skip",
    }


def _floating(before: float, after: float, steps: Steps) -> tuple[list[float], list[float]]:
    """Where each bar begins, and where it ends."""
    bases, tops, level = [0.0], [before], before
    for _, change in steps:
        bases.append(min(level, level + change))
        tops.append(max(level, level + change))
        level += change
    return [*bases, 0.0], [*tops, after]


def _start(bases: Sequence[float], tops: Sequence[float]) -> float:
    """Where the axis begins: not at zero where the steps would be too small to be seen."""
    lowest = min([*tops, *bases])
    span = max(tops) - lowest
    return 0.0 if span == 0 or lowest < 4 * span else lowest - span


def _axis(title: str, start: float, highest: float) -> dict[str, Any]:
    return {
        "title": {"text": title if start == 0 else f"{title}, not from 0"},
        "zeroline": False,
        "range": [start, highest + _ROOM * (highest - start) or 1],
    }


def _label(name: str, top: float, text: str) -> dict[str, Any]:
    place = {"x": name, "y": top, "yshift": 10, "showarrow": False}
    return place | {"text": text, "font": {"size": 13, "color": "var(--ink)"}}
