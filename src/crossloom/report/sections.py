"""The sections of a report's page."""

from typing import Any

from crossloom.report.blocks import details, picture, pretty, section, swatch
from crossloom.report.colors import layer_colors
from crossloom.report.converters import describe_converters
from crossloom.report.floor_figure import MAX_MACROS
from crossloom.report.formats import (
    show_bytes,
    show_count,
    show_number_of,
    show_programming,
    show_share,
    show_siemens,
)
from crossloom.report.markup import Markup, element
from crossloom.report.tables import (
    MAX_ROWS,
    count_table,
    coverage_table,
    layer_table,
    schedule_table,
    shared_encoding,
    source_table,
    station_table,
)


def make_sections(facts: dict[str, Any], figures: dict[str, Any]) -> list[Markup]:
    """All sections, in the order in which a reader wants them."""
    return [
        _waterfall(facts),
        _layers(facts, figures),
        _floor_plan(facts),
        _cells(facts, figures),
        _coverage(facts),
        _schedule(facts),
        _origin(facts),
    ]


def _waterfall(facts: dict[str, Any]) -> Markup:
    waterfall = facts["waterfall"]
    what = {
        "accuracy": "Share of labels met",
        "agreement": "Share of answers equal to those of the float network",
        "snr_db": "Signal-to-noise ratio of the outputs against those of the float network",
    }[waterfall["measure"]]
    explain = f"{what} at every station of the way, on the same {waterfall['num_samples']:,} samples."
    if waterfall["measure"] != "snr_db":
        explain += f" Above the bars: what the step to them changes, in points.{_certainty(waterfall)}"
    columns = element("div", picture("waterfall"), station_table(waterfall), class_="columns wide-first")
    return section("Where the accuracy goes", columns, explain=explain)


def _certainty(waterfall: dict[str, Any]) -> str:
    """The standard error of a share, sqrt(p (1 - p) / n), of one success and one failure more than were seen."""
    count = waterfall["num_samples"]
    share = (waterfall["stations"][-1][waterfall["measure"]] * count + 1) / (count + 2)
    points = 100 * (share * (1 - share) / (count + 2)) ** 0.5
    few = f" So few samples tell the last figure to about ± {points:.1f} points (one standard error)."
    return few if points > 0.5 else ""


def _layers(facts: dict[str, Any], figures: dict[str, Any]) -> Markup:
    encoding = shared_encoding(facts)
    explain = (
        "Signal-to-noise ratio of each layer's output given its own input; clipping: codes at the converter's ends; "
        f"ADC use: entropy of the codes as a share of the converter's bits; n: {_readout(facts['system'])}; bits: of "
        "weights / inputs (u: unsigned); error: of the cells, root mean square. "
        f"Converters: {describe_converters(facts['converters'])}."
        + (f" All layers on crossbars: {encoding}." if encoding else "")
    )
    drawn = [picture("layers")] if "layers" in figures else []
    return section("Layer by layer", *drawn, layer_table(facts), explain=explain)


def _readout(system: dict[str, Any]) -> str:
    """What the readout's register n means."""
    step = system["integration_step"]
    return f"integration time in steps of {step * 1e9:g} ns" if step else "gain of the readout"


def _floor_plan(facts: dict[str, Any]) -> Markup:
    system, placed = facts["system"], facts["placement"]
    turned = system["num_rows"] > system["num_columns"]
    axes = ("left to right", "top to bottom") if turned else ("top to bottom", "left to right")
    explain = (
        f"Each box is one macro: {system['num_rows']:,} rows ({axes[0]}) and {system['num_columns']:,} columns "
        f"({axes[1]}), with the share of its cells in use{_naming(system)}. "
        f"{show_number_of(facts['model']['num_tiles'], 'tile')} on {show_number_of(placed['num_macros'], 'macro')}; "
        f"no placement could use fewer than {placed['area_bound']}. "
        "Point at a tile for its place, drag to zoom, double-click to go back; click a layer below to find its tiles."
    )
    hidden = len(facts["macros"]) - MAX_MACROS
    more = (
        [element("p", f"{hidden} more macros are not drawn; the JSON report holds them all.")]
        if hidden > 0
        else []
    )
    return section("Floor plan", picture("floor"), *more, _legend(facts), explain=explain)


def _naming(system: dict[str, Any]) -> str:
    return (
        ", named by chip · core · macro" if system["macros_per_core"] > 1 and system["num_cores"] > 1 else ""
    )


def _legend(facts: dict[str, Any]) -> Markup:
    pairs = zip(facts["layers"], layer_colors(len(facts["layers"])), strict=True)
    items = [
        element(
            "button",
            swatch(color),
            row["name"],
            data_layer=row["name"],
        )
        for row, color in pairs
        if row["num_tiles"]
    ]
    if any(macro["forbidden"] for macro in facts["macros"]):
        items.append(element("span", element("i", class_="swatch hatched"), "forbidden"))
    return element("div", *items, class_="legend")


def _cells(facts: dict[str, Any], figures: dict[str, Any]) -> Markup:
    programming = facts["programming"]
    if programming is None:
        text = "These chips were not programmed by this flow, so there is nothing to tell about their cells."
        return section("Cells", element("p", text))
    captions = {
        "conductance": "Conductances asked for, and measured after settling",
        "levels": "Where the cells of each target ended; dotted: the targets",
        "error": "Error of the cells; dotted: root mean square",
        "pulses": "Pulses that the cells took",
        "worst": _worst(programming["worst_tile"]),
    }
    pictures = [picture(name, caption) for name, caption in captions.items() if name in figures]
    return section(
        "Cells", element("div", *pictures, class_="columns"), explain=show_programming(programming) + "."
    )


def _worst(tile: dict[str, Any]) -> str:
    points = tile["rows_per_point"] * tile["columns_per_point"]
    block = f"; every point is the largest error of {points} cells" if points > 1 else ""
    return (
        f"The tile of the largest error: tile {tile['tile']} of {tile['layer']}, "
        f"{show_siemens(tile['error_std'])} rms{block}"
    )


def _coverage(facts: dict[str, Any]) -> Markup:
    share, macs = facts["coverage"]["share_in_memory"], show_count(facts["coverage"]["macs"])
    bar = element("div", element("i", style=f"width:{100 * share:.2f}%"), class_="split", role="img")
    text = (
        f"{show_share(share)} of {macs} MACs a sample are done in memory, {show_share(1 - share)} digitally."
    )
    return section("In memory, or digital", bar, coverage_table(facts), explain=text)


def _schedule(facts: dict[str, Any]) -> Markup:
    total, placed = facts["counts"]["total"], facts["placement"]
    hidden = placed["num_steps"] - MAX_ROWS
    more = [element("p", f"{hidden} more steps are in the JSON report.")] if hidden > 0 else []
    crossing = (
        f"{show_number_of(placed['num_steps'], 'step')}; {show_bytes(placed['bytes_per_sample'])} cross the links for "
        f"each sample. The run over {show_number_of(facts['counts']['samples'], 'sample')} took "
        f"{show_count(total['num_mvms'])} MVMs, {show_count(total['num_cycles'])} cycles, "
        f"{show_count(total['num_conversions'])} conversions and "
        f"{show_bytes(total['bytes_in'] + total['bytes_out'])} over links."
    )
    steps = element("div", element("h3", "Steps, for one sample"), schedule_table(facts), *more)
    counts = element("div", element("h3", "Actions of this run"), count_table(facts))
    return section("Schedule and actions", steps, counts, explain=crossing)


def _origin(facts: dict[str, Any]) -> Markup:
    origin = facts["origin"]
    seed = "" if origin["seed_of_chips"] is None else f" with seed {origin['seed_of_chips']}"
    text = (
        f"crossloom {origin['crossloom']}, torch {origin['torch']}; chips: {origin['backend']}{seed}; "
        f"read noise of the run: seed {origin['seed_of_run']}."
    )
    configs = [
        details(f"{name.capitalize()} configuration", element("pre", pretty(origin[name])))
        for name in ("quant", "mapping", "placement")
    ]
    hardware = details("Hardware description", element("pre", pretty(origin["system"])))
    sources = details("Sources of the hardware's numbers", source_table(origin["sources"]))
    return section("How this was made", *configs, hardware, sources, explain=text)
