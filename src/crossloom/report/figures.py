"""The pictures of a report, as plain data for plotly. Colours like `var(--ink)` come from the style sheet."""

from html import escape
from typing import Any

from crossloom.report.cell_figures import (
    draw_conductances,
    draw_errors,
    draw_levels,
    draw_pulses,
    draw_worst_tile,
)
from crossloom.report.colors import layer_colors
from crossloom.report.floor_figure import draw_floor_plan
from crossloom.report.formats import shorten, show_change, show_share

Figure = dict[str, Any]


def make_figures(facts: dict[str, Any]) -> dict[str, Figure]:
    """All pictures that the facts allow, by name."""
    figures = {"waterfall": draw_waterfall(facts["waterfall"]), "floor": draw_floor_plan(facts)}
    if any(row["is_exact"] is not None for row in facts["layers"]):
        figures["layers"] = draw_layers(facts["layers"])
    if facts["programming"]:
        figures |= _cells(facts["programming"])
    return figures


def _cells(programming: dict[str, Any]) -> dict[str, Figure]:
    figures = {
        "conductance": draw_conductances(programming),
        "error": draw_errors(programming),
        "pulses": draw_pulses(programming["pulses"]),
        "worst": draw_worst_tile(programming["worst_tile"]),
    }
    return figures | ({"levels": draw_levels(programming)} if programming["levels"] else {})


def draw_waterfall(waterfall: dict[str, Any]) -> Figure:
    """A bar for every station, and above it what the step to it took away."""
    is_share = waterfall["measure"] != "snr_db"
    scale = 100 if is_share else 1
    stations = waterfall["stations"]
    names = [escape(station["name"]).replace(", ", ",<br>") for station in stations]
    values = [station[waterfall["measure"]] for station in stations]
    lost = [max(station["drop"] or 0, 0) * scale for station in stations]
    labels = [show_share(value) if is_share else _ratio(value) for value in values]
    heights = [(value or 0) * scale for value in values]
    bars = {
        "type": "bar",
        "x": names,
        "y": heights,
        "text": [f"<b>{label}</b>" for label in labels],
        "textposition": "inside",
        "insidetextanchor": "end",
        "textfont": {"color": "#ffffff", "size": 13},
        "marker": {"color": "var(--accent)"},
        "hovertemplate": "%{x}: %{text}<extra></extra>",
    }
    gone = {
        "type": "bar",
        "x": names,
        "y": lost,
        "marker": {
            "color": "var(--loss)",
            "line": {"width": 0},
            "pattern": {"shape": "/", "size": 6, "fgcolor": "var(--bad)"},
        },
        "hoverinfo": "skip",
    }
    tops = [height + drop for height, drop in zip(heights, lost, strict=True)]
    notes = [
        _drop(*each, scale) for each in zip(names, tops, stations, strict=True) if each[2]["drop"] is not None
    ]
    title = {
        "accuracy": "accuracy (%)",
        "agreement": "same answer as float (%)",
        "snr_db": "SNR to float (dB)",
    }
    vertical: dict[str, Any] = {"title": {"text": title[waterfall["measure"]]}, "zeroline": False}
    layout = {"barmode": "stack", "bargap": 0.35, "height": 340, "annotations": notes, "yaxis": vertical}
    if is_share:
        vertical |= {"range": [0, 112], "tickvals": [0, 20, 40, 60, 80, 100]}
    if waterfall["measure"] == "accuracy":
        layout["shapes"], guess = (
            [_guessing(waterfall["num_classes"])],
            _guessing_label(waterfall["num_classes"]),
        )
        layout["annotations"] = [*notes, guess]
    return _figure([bars, gone], layout)


def _ratio(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f} dB"


def _drop(name: str, top: float, station: dict[str, Any], scale: float) -> dict[str, Any]:
    color = "var(--bad)" if station["drop"] > 0 else "var(--muted)"
    text = show_change(station["drop"], scale)
    return {
        "x": name,
        "y": top,
        "text": text,
        "showarrow": False,
        "yshift": 10,
        "font": {"color": color, "size": 13},
    }


def _guessing(num_classes: int) -> dict[str, Any]:
    y = 100 / num_classes
    line = {"color": "var(--muted)", "width": 1, "dash": "dot"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}


def _guessing_label(num_classes: int) -> dict[str, Any]:
    place = {"xref": "paper", "x": 1, "xanchor": "left", "xshift": 4, "y": 100 / num_classes, "showarrow": False}
    return place | {"text": f"guessing<br>{show_share(1 / num_classes)}", "align": "left", "font": {"size": 11}}


def draw_layers(rows: list[dict[str, Any]]) -> Figure:
    """SNR, clipping and ADC use of every layer, one above the other."""
    rows_and_colors = [
        pair for pair in zip(rows, layer_colors(len(rows)), strict=True) if pair[0]["runs"] == "chip"
    ]
    rows, colors = [row for row, _ in rows_and_colors], [color for _, color in rows_and_colors]
    has_codes = any(row["adc_use"] is not None for row in rows)
    panels = [
        ("SNR (dB)", "snr_db", 1),
        ("clipping (%)", "clipping_rate", 100),
        ("ADC use (%)", "adc_use", 100),
    ]
    panels = panels if has_codes else panels[:1]
    ticks = [escape(shorten(row["name"])) for row in rows]
    across = {"tickvals": list(range(len(rows))), "ticktext": ticks, "tickangle": -40 if len(rows) > 8 else 0}
    layout: dict[str, Any] = {"height": 100 + 130 * len(panels), "bargap": 0.3, "annotations": _exact(rows)}
    layout["xaxis"] = across | {"anchor": f"y{len(panels)}", "showgrid": False, "automargin": True}
    traces = []
    for number, (title, key, scale) in enumerate(panels, 1):
        values = [None if row[key] is None else row[key] * scale for row in rows]
        traces.append(_layer_bars(rows, values, colors, f"y{number}", title, with_text=len(rows) <= 12))
        top = 1 - (number - 1) / len(panels)
        domain = [top - 1 / len(panels) + 0.05, top]
        axis = {"title": {"text": title}, "domain": domain, "anchor": "x", "rangemode": "tozero", "nticks": 5}
        layout["yaxis" if number == 1 else f"yaxis{number}"] = axis
    return _figure(traces, layout)


def _layer_bars(
    rows: list[dict[str, Any]],
    values: list[float | None],
    colors: list[str],
    axis: str,
    title: str,
    with_text: bool,
) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": list(range(len(rows))),
        "y": values,
        "yaxis": "y" if axis == "y1" else axis,
        "marker": {"color": colors},
        "customdata": [escape(row["name"]) for row in rows],
        "hovertemplate": f"%{{customdata}}<br>{title}: %{{y:.1f}}<extra></extra>",
        "texttemplate": "%{y:.1f}" if with_text else "",
        "textposition": "inside",
        "insidetextanchor": "end",
        "textfont": {"color": "#ffffff"},
    }


def _exact(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    place = {"y": 0, "yref": "y", "yanchor": "bottom", "text": "exact", "showarrow": False, "textangle": -90}
    return [place | {"x": number, "font": {"size": 11}} for number, row in enumerate(rows) if row["is_exact"]]


def _figure(traces: list[dict[str, Any]], layout: dict[str, Any]) -> Figure:
    return {
        "data": traces,
        "layout": {"showlegend": False, "margin": {"l": 64, "r": 16, "t": 16, "b": 48}} | layout,
    }
