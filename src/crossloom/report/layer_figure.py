"""The picture of every layer's quality."""

from html import escape
from typing import Any

from crossloom.report.colors import layer_colors
from crossloom.report.formats import shorten

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
        "xaxis": _names(rows) | {"anchor": f"y{len(panels)}" if len(panels) > 1 else "y"},
        "annotations": [_exact(number) for number, row in enumerate(rows) if row["is_exact"]],
    }
    for number, (title, key, _) in enumerate(panels):
        top = 1 - number / len(panels)
        axis = {
            "title": {"text": title},
            "anchor": "x",
            "domain": [top - 1 / len(panels) + _GAP, top],
            "nticks": 5,
        }
        limits = {"range": [0, 105]} if key == "adc_use" else {"rangemode": "tozero"}
        layout[f"yaxis{number + 1 if number else ''}"] = axis | limits
    return {"data": [_bars(rows, colors, number) for number in range(len(panels))], "layout": layout}


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


def _bars(rows: list[dict[str, Any]], colors: dict[str, str], panel: int) -> dict[str, Any]:
    title, key, scale = _PANELS[panel]
    return {
        "type": "bar",
        "x": list(range(len(rows))),
        "y": [None if row[key] is None else row[key] * scale for row in rows],
        "yaxis": f"y{panel + 1 if panel else ''}",
        "marker": {"color": [colors[row["name"]] for row in rows]},
        "customdata": [escape(row["name"]) for row in rows],
        "hovertemplate": f"%{{customdata}}<br>{title}: %{{y:.1f}}<extra></extra>",
        "texttemplate": "" if len(rows) > _MANY else "%{y:.1f}",
        "textposition": "inside",
        "insidetextanchor": "end",
        "textfont": {"color": "#ffffff"},
    }


def _exact(number: int) -> dict[str, Any]:
    place = {"x": number, "y": 0, "yref": "y", "yanchor": "bottom", "textangle": -90}
    return place | {"text": "exact", "showarrow": False, "font": {"size": 11}}
