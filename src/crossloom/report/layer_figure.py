"""The picture of every layer's quality."""

from html import escape
from typing import Any

from crossloom.report.colors import layer_colors
from crossloom.report.formats import UNKNOWN, shorten

_PANELS = (("SNR (dB)", "snr_db", 1), ("clipping (%)", "clipping_rate", 100), ("ADC use (%)", "adc_use", 100))
_MANY = 8
_GAP = 0.06


def draw_layers(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """SNR, clipping and ADC use of the layers that ran on chips, one panel above the other."""
    colors = dict(zip((row["name"] for row in layers), layer_colors(len(layers)), strict=True))
    rows = [row for row in layers if row["runs"] == "chip"]
    panels = _PANELS if any(row["adc_use"] is not None for row in rows) else _PANELS[:1]
    layout: dict[str, Any] = {
        "height": 60 + 130 * len(panels),
        "bargap": 0.3 if len(rows) > _MANY else 0.65,
        "showlegend": False,
        "margin": {"l": 60, "r": 8, "t": 12, "b": 24},
        "xaxis": _names(rows) | {"anchor": f"y{_suffix(len(panels) - 1)}"},
    }
    for number in range(len(panels)):
        layout[f"yaxis{_suffix(number)}"] = _scale(rows, number, len(panels))
    return {"data": [_bars(rows, colors, number) for number in range(len(panels))], "layout": layout}


def _suffix(panel: int) -> str:
    """What plotly calls the axes of a panel by: nothing for the first."""
    return str(panel + 1) if panel else ""


def _names(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "tickvals": list(range(len(rows))),
        "ticktext": [escape(shorten(row["name"])) for row in rows],
        "tickangle": -40 if len(rows) > _MANY else 0,
        "range": [-0.6, len(rows) - 0.4],
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
    }


def _scale(rows: list[dict[str, Any]], panel: int, num_panels: int) -> dict[str, Any]:
    """An axis from zero with room for the figures above the bars."""
    title, key, scale = _PANELS[panel]
    known = [row[key] * scale for row in rows if row[key] is not None]
    lowest, highest = min([*known, 0]), 100 if key == "adc_use" else max([*known, 0])
    room = 0.22 if len(rows) <= _MANY else 0.08
    top = 1 - panel / num_panels
    return {
        "title": {"text": title},
        "anchor": "x",
        "domain": [top - 1 / num_panels + _GAP, top],
        "range": [lowest * (1 + room), highest * (1 + room) or 1],
        "nticks": 5,
        "showticklabels": bool(known),
    }


def _bars(rows: list[dict[str, Any]], colors: dict[str, str], panel: int) -> dict[str, Any]:
    title, key, scale = _PANELS[panel]
    is_exact = [bool(row["is_exact"]) and key == "snr_db" for row in rows]
    values = [None if row[key] is None else row[key] * scale for row in rows]
    shown = [_show(value, exact) for value, exact in zip(values, is_exact, strict=True)]
    is_many = len(rows) > _MANY
    return {
        "type": "bar",
        "x": list(range(len(rows))),
        "y": [0 if exact else value for value, exact in zip(values, is_exact, strict=True)],
        "yaxis": f"y{_suffix(panel)}",
        "marker": {"color": [colors[row["name"]] for row in rows]},
        "customdata": [[escape(row["name"]), text] for row, text in zip(rows, shown, strict=True)],
        "hovertemplate": f"%{{customdata[0]}}<br>{title}: %{{customdata[1]}}<extra></extra>",
        "text": [text if exact or not is_many else "" for text, exact in zip(shown, is_exact, strict=True)],
        "textposition": "outside",
        "textangle": -90 if is_many else 0,
        "cliponaxis": False,
    }


def _show(value: float | None, is_exact: bool) -> str:
    if is_exact:
        return "exact"
    if value is None:
        return UNKNOWN
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"
