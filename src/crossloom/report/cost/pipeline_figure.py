"""The picture of what every chip does when: one sample, and samples in a pipeline."""

from html import escape
from typing import Any

from crossloom.report.cost.colors import colors_of_layers, resource_name
from crossloom.report.quantities import scale_for

MAX_SPANS = 4000
_LANE_HEIGHT = 20


def draw_pipeline(facts: dict[str, Any]) -> dict[str, Any]:
    """A lane for every chip and resource, a bar for every span in the colour of its layer."""
    spans = facts["spans"][:MAX_SPANS]
    lanes = sorted({(span["chip"], span["resource"]) for span in facts["spans"]}, key=_order)
    numbers = {lane: number for number, lane in enumerate(lanes)}
    colors, scale = colors_of_layers(facts), scale_for([facts["latency"]], "s")
    bars = {
        "type": "bar",
        "orientation": "h",
        "base": [span["start"] * scale.factor for span in spans],
        "x": [(span["stop"] - span["start"]) * scale.factor for span in spans],
        "y": [numbers[span["chip"], span["resource"]] for span in spans],
        "width": 0.8,
        "marker": {
            "color": [colors.get(span["layer"], "var(--muted)") for span in spans],
            "line": {"width": 0},
        },
        "customdata": [_words(span, scale.factor) for span in spans],
        "hovertemplate": "%{customdata[0]}<br>%{customdata[1]}<br>"
        f"%{{customdata[2]:.4g}} to %{{customdata[3]:.4g}} {scale.unit}<extra></extra>",
    }
    layout = {
        "height": 80 + _LANE_HEIGHT * len(lanes),
        "barmode": "overlay",
        "showlegend": False,
        "margin": {"l": 16, "r": 16, "t": 8, "b": 48},
        "xaxis": {
            "title": {"text": scale.title("time since the sample came in")},
            "range": [0, facts["latency"] * scale.factor * 1.01 or 1],
            "fixedrange": False,
        },
        "yaxis": {
            "tickvals": list(range(len(lanes))),
            "ticktext": [_lane(*lane) for lane in lanes],
            "range": [len(lanes) - 0.4, -0.6],
            "automargin": True,
            "zeroline": False,
            "ticksuffix": " ",
        },
        "shapes": _stripes(lanes),
    }
    return {"data": [bars], "layout": layout}


def _order(lane: tuple[int, str]) -> tuple[float, str]:
    chip, resource = lane
    return (
        float("inf") if chip < 0 else chip,
        {"link": "0", "macro": "1"}.get(resource, resource),
    )


def _lane(chip: int, resource: str) -> str:
    where = "all chips · " if chip < 0 else f"chip {chip} · "
    return escape(f"{where}{resource_name(resource)}")


def _words(span: dict[str, Any], factor: float) -> list[Any]:
    name, lane = escape(span["layer"] or "of no layer"), _lane(span["chip"], span["resource"])
    return [name, lane, span["start"] * factor, span["stop"] * factor]


def _stripes(lanes: list[tuple[int, str]]) -> list[dict[str, Any]]:
    """A shade behind every other chip, so that its lanes are seen as one."""
    chips = list(dict.fromkeys(chip for chip, _ in lanes))
    stripes = []
    for chip in chips[1::2]:
        own = [number for number, (other, _) in enumerate(lanes) if other == chip]
        place = {"xref": "paper", "x0": 0, "x1": 1, "y0": min(own) - 0.5, "y1": max(own) + 0.5}
        stripes.append(
            place | {"type": "rect", "layer": "below", "line": {"width": 0}, "fillcolor": "var(--empty)"}
        )
    return stripes
