"""The pictures of a cost report."""

from html import escape
from typing import Any

from crossloom.report.axes import error_bars, horizontal_bars, layer_axis, top_legend
from crossloom.report.cost.colors import component_color, component_name, resource_color, resource_name
from crossloom.report.cost.pipeline_figure import draw_pipeline
from crossloom.report.quantities import Scale, scale_for

NO_LAYER = "of no layer"
_MOST_RANGE = 2.5


def draw_cost(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All pictures that the facts allow, by name."""
    figures = {"cost_components": _components(facts)}
    if any(row["name"] for row in facts["layers"]):
        figures["cost_energy"] = _energy_by_layer(facts)
    if any(row["busy"] for row in facts["layers"]):
        figures["cost_latency"] = _latency_by_layer(facts)
    if facts["areas"]:
        figures["cost_areas"] = _areas(facts)
    if facts["spans"]:
        figures["cost_pipeline"] = draw_pipeline(facts)
    return figures


def _energy_by_layer(facts: dict[str, Any]) -> dict[str, Any]:
    """A stack of components for every layer, with the range of the whole."""
    rows = facts["layers"]
    scale = scale_for([row["energy"] for row in rows], "J")
    names = [row["name"] for row in facts["components"]]
    traces = [_stacked(rows, "components", name, scale, component_color(name)) for name in names]
    for trace, name in zip(traces, names, strict=True):
        trace["name"] = component_name(name)
    layout = _layout(rows, scale.title("energy a sample"))
    highest = max(row["energy"] for row in rows)
    top = min(max(row["energy_high"] for row in rows), _MOST_RANGE * highest)
    layout["yaxis"] = {"title": layout["yaxis"]["title"], "range": [0, 1.05 * top * scale.factor or 1]}
    return {"data": [*traces, _range(rows, scale)], "layout": layout}


def _latency_by_layer(facts: dict[str, Any]) -> dict[str, Any]:
    """How long each resource is busy for a layer, and how long the layer takes."""
    rows = [row for row in facts["layers"] if row["busy"]]
    scale = scale_for([row["latency"] for row in rows], "s")
    names = dict.fromkeys(name for row in rows for name in row["busy"])
    traces = [_stacked(rows, "busy", name, scale, resource_color(name)) for name in names]
    for trace, name in zip(traces, names, strict=True):
        trace["name"] = resource_name(name)
    whole = {
        "type": "scatter",
        "mode": "markers",
        "name": "from first to last",
        "x": list(range(len(rows))),
        "y": [row["latency"] * scale.factor for row in rows],
        "marker": {"symbol": "line-ew-open", "size": 12, "color": "var(--ink)", "line": {"width": 2}},
        "customdata": [escape(row["name"]) for row in rows],
        "hovertemplate": f"%{{customdata}}<br>from first to last: %{{y:.4g}} {scale.unit}<extra></extra>",
    }
    return {"data": [*traces, whole], "layout": _layout(rows, scale.title("time a sample"))}


def _stacked(rows: list[dict[str, Any]], key: str, name: str, scale: Scale, color: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": list(range(len(rows))),
        "y": [row[key].get(name, 0.0) * scale.factor for row in rows],
        "marker": {"color": color},
        "customdata": [escape(row["name"] or NO_LAYER) for row in rows],
        "hovertemplate": f"%{{customdata}}<br>%{{fullData.name}}: %{{y:.4g}} {scale.unit}<extra></extra>",
    }


def _range(rows: list[dict[str, Any]], scale: Scale) -> dict[str, Any]:
    """Error bars over the stacks: nothing but the bars is drawn."""
    energies = [row["energy"] * scale.factor for row in rows]
    ranges = [(row["energy_low"] * scale.factor, row["energy_high"] * scale.factor) for row in rows]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "range of the sources",
        "x": list(range(len(rows))),
        "y": energies,
        "marker": {"symbol": "line-ew-open", "size": 7, "color": "var(--ink)"},
        "error_y": error_bars(energies, ranges),
        "customdata": [
            [escape(row["name"] or NO_LAYER), scale.show_range(row["energy_low"], row["energy_high"])]
            for row in rows
        ],
        "hovertemplate": "%{customdata[0]}<br>all components: %{y:.4g} "
        f"{scale.unit} (%{{customdata[1]}})<extra></extra>",
    }


def _layout(rows: list[dict[str, Any]], title: str) -> dict[str, Any]:
    return {
        "height": 380,
        "barmode": "stack",
        "bargap": 0.3,
        "margin": {"l": 64, "r": 8, "t": 40, "b": 24},
        "xaxis": layer_axis([row["name"] or NO_LAYER for row in rows]),
        "yaxis": {"title": {"text": title}, "rangemode": "tozero"},
        **top_legend(),
    }


def _components(facts: dict[str, Any]) -> dict[str, Any]:
    """One bar for every component, dearest on top, with its range."""
    rows = facts["components"]
    scale = scale_for([row["energy"] for row in rows], "J")
    return horizontal_bars(
        [component_name(row["name"]) for row in rows],
        [row["energy"] * scale.factor for row in rows],
        [component_color(row["name"]) for row in rows],
        scale.title("energy a sample"),
        scale.unit,
        ranges=[(row["energy_low"] * scale.factor, row["energy_high"] * scale.factor) for row in rows],
    )


def _areas(facts: dict[str, Any]) -> dict[str, Any]:
    rows = sorted(facts["areas"], key=lambda row: -row["area"])
    scale = scale_for([row["area"] for row in rows], "m²")
    return horizontal_bars(
        [component_name(row["component"]) for row in rows],
        [row["area"] * scale.factor for row in rows],
        [component_color(row["component"]) for row in rows],
        scale.title("area"),
        scale.unit,
        ranges=[(row["area_low"] * scale.factor, row["area_high"] * scale.factor) for row in rows],
    )
