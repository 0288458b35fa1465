"""The report of a run on a terminal."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossloom.report.console import add_columns, draw_bar, make_notes, make_pairs, make_table, stack
from crossloom.report.converters import describe_converters
from crossloom.report.cost.text import cost_text
from crossloom.report.formats import (
    UNKNOWN,
    shorten,
    show_bytes,
    show_change,
    show_count,
    show_db,
    show_micro,
    show_programming,
    show_range,
    show_share,
)
from crossloom.report.tuning.text import tuning_text


def make_run_text(facts: dict[str, Any]) -> Group:
    """What `gather_facts` found, for a terminal."""
    tuning, cost = facts["tuning"], facts["cost"]
    notes = [note for part in (facts, tuning, cost) if part for note in part["notes"]]
    return stack(
        [
            _header(facts),
            make_notes(notes),
            _waterfall(facts["waterfall"]),
            _layers(facts),
            *(tuning_text(tuning) if tuning else []),
            *(cost_text(cost) if cost else []),
            _closing(facts),
        ]
    )


def _header(facts: dict[str, Any]) -> Text:
    model, placed, system = facts["model"], facts["placement"], facts["system"]
    return Text("\n").join(
        [
            Text(facts["title"], "bold"),
            Text(f"{system['name']}: {system['description']}", "dim"),
            Text(
                f"{model['num_layers']} layers, {show_count(model['num_weights'])} weights, "
                f"{show_count(model['num_cells'])} cells in {model['num_tiles']} tiles"
            ),
            Text(
                f"{placed['num_macros']} of {system['num_macros']} macros on {placed['num_chips']} of "
                f"{system['num_chips']} chips (area bound {placed['area_bound']}), "
                f"{show_share(placed['utilization'])} of their cells in use"
            ),
        ]
    )


def _waterfall(waterfall: dict[str, Any]) -> RenderableType:
    measure = waterfall["measure"]
    is_share = measure != "snr_db"
    title = {"accuracy": "accuracy", "agreement": "as float", "snr_db": "SNR (dB)"}[measure]
    table = make_table(f"stations, {waterfall['num_samples']:,} samples")
    add_columns(table, [title, "points" if is_share else "dB"])
    table.add_column("", no_wrap=True)
    if is_share:
        add_columns(table, ["SNR (dB)"])
    known = [station[measure] for station in waterfall["stations"] if station[measure] is not None]
    full = 1.0 if is_share else max([*known, 1.0])
    for station in waterfall["stations"]:
        value, scale = station[measure], 100 if is_share else 1
        ratio = show_db(station["snr_db"], station["snr_db"] is None)
        change = Text(show_change(station["drop"], scale), "red" if (station["drop"] or 0) > 0 else "dim")
        share = 1.0 if value is None and not is_share else max(value or 0, 0) / full
        cells = [
            Text(station["name"]),
            show_share(value, 2) if is_share else ratio,
            change,
            Text(draw_bar(share), "blue"),
        ]
        table.add_row(*cells, *([ratio] if is_share else []))
    return table


def _layers(facts: dict[str, Any]) -> RenderableType:
    table = make_table("layers")
    add_columns(
        table, ["runs in", "MACs", "tiles", "bits", "n", "SNR (dB)", "clipping", "ADC use", "error µS"]
    )
    for row in facts["layers"]:
        table.add_row(
            Text(shorten(row["name"], 22)),
            {"chip": "memory"}.get(row["runs"], row["runs"]),
            show_share(row["macs_share"]),
            str(row["num_tiles"]) if row["num_tiles"] else UNKNOWN,
            f"{row['weight_bits']}/{row['input_bits']}",
            show_range(row["integration_time"], 2),
            show_db(row["snr_db"], row["is_exact"]),
            show_share(row["clipping_rate"]),
            show_share(row["adc_use"], 0),
            show_micro(row["programming_error"]),
        )
    return table


def _closing(facts: dict[str, Any]) -> Table:
    return make_pairs(
        [
            ("programming", _programming(facts["programming"])),
            ("in memory", _coverage(facts)),
            ("converters", describe_converters(facts["converters"])),
            ("actions", _actions(facts)),
            ("made by", _origin(facts["origin"])),
        ]
    )


def _programming(programming: dict[str, Any] | None) -> str:
    return (
        "these chips were not programmed by this flow"
        if programming is None
        else show_programming(programming)
    )


def _coverage(facts: dict[str, Any]) -> str:
    covered = facts["coverage"]
    reasons: dict[str, int] = {}
    for node in covered["nodes"]:
        if node["where"] == "digital" and node["macs"]:
            reasons[node["why"]] = reasons.get(node["why"], 0) + node["macs"]
    digital = "; ".join(
        f"{show_share(macs / covered['macs'])} digital: {why}" for why, macs in reasons.items()
    )
    share = f"{show_share(covered['share_in_memory'])} of {show_count(covered['macs'])} MACs a sample"
    return f"{share}; {digital}" if digital else share


def _actions(facts: dict[str, Any]) -> str:
    total = facts["counts"]["total"]
    return (
        f"{show_count(total['num_mvms'])} MVMs, {show_count(total['num_cycles'])} cycles, "
        f"{show_count(total['num_conversions'])} conversions, "
        f"{show_bytes(total['bytes_in'] + total['bytes_out'])} over links"
    )


def _origin(origin: dict[str, Any]) -> str:
    seed = "" if origin["seed_of_chips"] is None else f" with seed {origin['seed_of_chips']}"
    return f"crossloom {origin['crossloom']} on {origin['backend']}{seed}; seed of the run {origin['seed_of_run']}"
