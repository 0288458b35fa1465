"""The floor plan: every macro in use as a box, every tile as a rectangle in the colour of its layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from crossloom.report.colors import layer_colors
from crossloom.report.formats import shorten, show_share

MAX_MACROS = 64
_WIDTH = 1120
_LABEL_HEIGHT = 24
_LONG = 4.0


@dataclass(frozen=True)
class _Grid:
    """Boxes side by side. Lengths are pixels of a page of 1280; `is_turned`: rows run from left to right."""

    num_rows: int
    num_columns: int
    is_turned: bool
    across: int
    box_width: float
    box_height: float

    def corner(self, number: int) -> tuple[float, float]:
        """The upper left corner of box `number`."""
        down, right = divmod(number, self.across)
        return right * _WIDTH / self.across, down * (self.box_height + _LABEL_HEIGHT) + _LABEL_HEIGHT

    def rectangle(self, number: int, part: dict[str, Any]) -> tuple[float, float, float, float]:
        """Left, top, width and height of a part of box `number`."""
        left, top = self.corner(number)
        down, right = self.box_height / self.num_rows, self.box_width / self.num_columns
        if self.is_turned:
            right, down = self.box_width / self.num_rows, self.box_height / self.num_columns
            x, y, width, height = part["row"], part["column"], part["num_rows"], part["num_columns"]
        else:
            x, y, width, height = part["column"], part["row"], part["num_columns"], part["num_rows"]
        return left + x * right, top + y * down, width * right, height * down


def make_grid(system: dict[str, Any], num_macros: int) -> _Grid:
    """Few boxes are large, many are small; long ones lie on their side."""
    rows, columns = system["num_rows"], system["num_columns"]
    is_turned = rows > columns
    ratio = max(rows, columns) / min(rows, columns) if is_turned or rows == columns else columns / rows
    steps = (
        ((2, 1), (12, 2), (MAX_MACROS, 4)) if ratio >= _LONG else ((3, 3), (12, 4), (24, 6), (MAX_MACROS, 8))
    )
    across = next(across for most, across in steps if num_macros <= most)
    width = _WIDTH / across - 16
    return _Grid(
        rows, columns, is_turned, across, width, min(max(width / ratio, 96 if ratio >= _LONG else 56), 352)
    )


def draw_floor_plan(facts: dict[str, Any]) -> dict[str, Any]:
    """All macros in use, or the first of very many."""
    macros = facts["macros"][:MAX_MACROS]
    grid = make_grid(facts["system"], len(macros))
    rows = -(-len(macros) // grid.across)
    names = [row["name"] for row in facts["layers"]]
    traces = [
        _layer_trace(grid, macros, name, color)
        for name, color in zip(names, layer_colors(len(names)), strict=True)
    ]
    hidden = {"visible": False, "fixedrange": False}
    height = rows * (grid.box_height + _LABEL_HEIGHT)
    layout = {
        "height": height + 8,
        "margin": {"l": 0, "r": 0, "t": 0, "b": 8},
        "barmode": "overlay",
        "showlegend": False,
        "dragmode": "zoom",
        "uniformtext": {"mode": "hide", "minsize": 9},
        "xaxis": hidden | {"range": [-2, _WIDTH]},
        "yaxis": hidden | {"range": [height, 0]},
        "shapes": [_box(grid, number) for number in range(len(macros))],
        "annotations": [_label(grid, number, macro, facts["system"]) for number, macro in enumerate(macros)],
    }
    return {
        "data": [trace for trace in (*traces, _forbidden_trace(grid, macros)) if trace["x"]],
        "layout": layout,
    }


def _layer_trace(grid: _Grid, macros: Sequence[dict[str, Any]], name: str, color: str) -> dict[str, Any]:
    found = [
        (grid.rectangle(number, tile), _describe(macro, tile))
        for number, macro in enumerate(macros)
        for tile in macro["tiles"]
        if tile["layer"] == name
    ]
    label = escape(shorten(name, 24))
    return _bars([place for place, _ in found]) | {
        "name": escape(name),
        "customdata": [text for _, text in found],
        "text": [label] * len(found),
        "marker": {"color": color, "line": {"color": "var(--card)", "width": 1}},
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def _forbidden_trace(grid: _Grid, macros: Sequence[dict[str, Any]]) -> dict[str, Any]:
    places = [
        grid.rectangle(number, region) for number, macro in enumerate(macros) for region in macro["forbidden"]
    ]
    pattern = {"shape": "x", "size": 7, "fgcolor": "var(--muted)", "bgcolor": "var(--empty)"}
    return _bars(places) | {
        "name": "forbidden",
        "text": [""] * len(places),
        "marker": {
            "color": "var(--empty)",
            "pattern": pattern,
            "line": {"color": "var(--muted)", "width": 1},
        },
        "hovertemplate": "forbidden region<extra></extra>",
    }


def _bars(places: Sequence[tuple[float, float, float, float]]) -> dict[str, Any]:
    return {
        "type": "bar",
        "x": [round(left + width / 2, 2) for left, _, width, _ in places],
        "base": [round(top, 2) for _, top, _, _ in places],
        "width": [round(width, 2) for _, _, width, _ in places],
        "y": [round(height, 2) for _, _, _, height in places],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "constraintext": "inside",
        "textfont": {"color": "#ffffff", "size": 12},
    }


def _describe(macro: dict[str, Any], tile: dict[str, Any]) -> str:
    copy = f", copy {tile['copy']}" if tile["copy"] else ""
    last_row, last_column = tile["row"] + tile["num_rows"] - 1, tile["column"] + tile["num_columns"] - 1
    return (
        f"<b>{escape(tile['layer'])}</b>, tile {tile['tile']}{copy}<br>"
        f"inputs {tile['inputs'][0]}–{tile['inputs'][1] - 1}, outputs {tile['outputs'][0]}–{tile['outputs'][1] - 1}<br>"
        f"rows {tile['row']}–{last_row}, columns {tile['column']}–{last_column}<br>"
        f"chip {macro['chip']}, core {macro['core']}, macro {macro['macro']}; n = {tile['integration_time']:.3g}"
    )


def _box(grid: _Grid, number: int) -> dict[str, Any]:
    left, top = grid.corner(number)
    place = {"x0": left, "x1": left + grid.box_width, "y0": top, "y1": top + grid.box_height}
    return {"type": "rect", "layer": "below", "fillcolor": "var(--empty)", "line": {"width": 0}} | place


def _label(grid: _Grid, number: int, macro: dict[str, Any], system: dict[str, Any]) -> dict[str, Any]:
    left, top = grid.corner(number)
    counts = (("chip", "num_chips"), ("core", "num_cores"), ("macro", "macros_per_core"))
    parts = [(noun, macro[noun]) for noun, count in counts if system[count] > 1 or noun == "chip"]
    is_brief = len(parts) == 3 and grid.across >= 6
    name = " · ".join(str(number) if is_brief else f"{noun} {number}" for noun, number in parts)
    text = f"<b>{name}</b>  {show_share(macro['utilization'], 0)}"
    place = {"x": left, "y": top, "xanchor": "left", "yanchor": "bottom", "xshift": -3}
    return place | {"text": text, "showarrow": False, "font": {"size": 11}}
