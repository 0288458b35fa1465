"""The picture of where the accuracy goes."""

from html import escape
from typing import Any

from crossloom.report.formats import show_change, show_share

_TITLES = {
    "accuracy": "accuracy (%)",
    "agreement": "same answer as float (%)",
    "snr_db": "SNR to float (dB)",
}


def draw_waterfall(waterfall: dict[str, Any]) -> dict[str, Any]:
    """A bar for every station; hatched above it, what the step to it took away."""
    measure = waterfall["measure"]
    layout = {
        "height": 320,
        "barmode": "stack",
        "bargap": 0.35,
        "showlegend": False,
        "margin": {"l": 60, "r": 64 if measure == "accuracy" else 16, "t": 12, "b": 44},
        "xaxis": {"showgrid": False},
        "yaxis": {"title": {"text": _TITLES[measure]}, "zeroline": False},
    }
    if measure == "snr_db":
        return {"data": [_ratios(waterfall["stations"])], "layout": layout}
    layout["yaxis"] |= {"range": [0, 112], "tickvals": [0, 20, 40, 60, 80, 100]}
    layout["annotations"] = [_drop(station, measure) for station in waterfall["stations"][1:]]
    if measure == "accuracy":
        layout["annotations"].append(_guessing_label(waterfall["num_classes"]))
        layout["shapes"] = [_guessing_line(waterfall["num_classes"])]
    return {
        "data": [_shares(waterfall["stations"], measure), _losses(waterfall["stations"])],
        "layout": layout,
    }


def _name(station: dict[str, Any]) -> str:
    return escape(station["name"]).replace(", ", ",<br>")


def _shares(stations: list[dict[str, Any]], measure: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": [_name(station) for station in stations],
        "y": [100 * (station[measure] or 0) for station in stations],
        "text": [f"<b>{show_share(station[measure])}</b>" for station in stations],
        "textposition": "inside",
        "insidetextanchor": "end",
        "textangle": 0,
        "textfont": {"color": "#ffffff", "size": 13},
        "marker": {"color": "var(--accent)"},
        "hovertemplate": "%{x}: %{text}<extra></extra>",
    }


def _losses(stations: list[dict[str, Any]]) -> dict[str, Any]:
    pattern = {"shape": "/", "size": 6, "fgcolor": "var(--bad)"}
    return {
        "type": "bar",
        "x": [_name(station) for station in stations],
        "y": [100 * max(station["drop"] or 0, 0) for station in stations],
        "marker": {"color": "var(--loss)", "line": {"width": 0}, "pattern": pattern},
        "hoverinfo": "skip",
    }


def _ratios(stations: list[dict[str, Any]]) -> dict[str, Any]:
    ratios = [station["snr_db"] for station in stations]
    return {
        "type": "bar",
        "x": [_name(station) for station in stations],
        "y": [0 if ratio is None else ratio for ratio in ratios],
        "text": ["exact" if ratio is None else f"{ratio:.1f} dB" for ratio in ratios],
        "textposition": "outside",
        "cliponaxis": False,
        "marker": {"color": "var(--accent)"},
        "hovertemplate": "%{x}: %{text}<extra></extra>",
    }


def _drop(station: dict[str, Any], measure: str) -> dict[str, Any]:
    drop = station["drop"] or 0
    return {
        "x": _name(station),
        "y": 100 * ((station[measure] or 0) + max(drop, 0)),
        "yshift": 10,
        "text": show_change(station["drop"], 100),
        "showarrow": False,
        "font": {"color": "var(--bad)" if drop > 0 else "var(--muted)", "size": 13},
    }


def _guessing_line(num_classes: int) -> dict[str, Any]:
    y = 100 / num_classes
    line = {"color": "var(--muted)", "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}


def _guessing_label(num_classes: int) -> dict[str, Any]:
    return {
        "xref": "paper",
        "x": 1,
        "xanchor": "left",
        "xshift": 4,
        "y": 100 / num_classes,
        "text": f"guessing<br>{show_share(1 / num_classes)}",
        "align": "left",
        "showarrow": False,
        "font": {"size": 11, "color": "var(--muted)"},
    }
