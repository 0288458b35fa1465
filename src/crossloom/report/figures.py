"""The pictures of a report, as plain data for plotly. Colours like `var(--ink)` come from the style sheet."""

from typing import Any

from crossloom.report.cell_figures import (
    draw_conductances,
    draw_errors,
    draw_levels,
    draw_pulses,
    draw_worst_tile,
)
from crossloom.report.floor_figure import draw_floor_plan
from crossloom.report.layer_figure import draw_layers
from crossloom.report.waterfall_figure import draw_waterfall

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
        "worst": draw_worst_tile(programming["worst_tile"]),
    }
    if programming["levels"]:
        figures["levels"] = draw_levels(programming)
    if programming["num_pulses"]:
        figures["pulses"] = draw_pulses(programming["pulses"])
    return figures
