"""The report on a terminal."""

from io import StringIO
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossloom.report.converters import describe_converters
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

_BAR_WIDTH = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"


def print_report(facts: dict[str, Any], console: Console | None = None) -> None:
    """Show the report on a terminal, standard output unless another is given."""
    (console or Console()).print(_view(facts))


def render_text(facts: dict[str, Any], width: int = 100) -> str:
    """The same without colours, `width` columns wide."""
    console = Console(file=StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(_view(facts))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _view(facts: dict[str, Any]) -> Group:
    parts = [
        _header(facts),
        _notes(facts["notes"]),
        _waterfall(facts["waterfall"]),
        _layers(facts),
        _closing(facts),
    ]
    return Group(*(line for part in parts if part is not None for line in (part, Text(""))))


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


def _notes(notes: list[str]) -> RenderableType | None:
    if not notes:
        return None
    table = Table.grid(padding=(0, 1))
    for note in notes:
        table.add_row(Text("!", "bold yellow"), Text(note, "yellow"))
    return table


def _waterfall(waterfall: dict[str, Any]) -> RenderableType:
    measure = waterfall["measure"]
    is_share = measure != "snr_db"
    title = {"accuracy": "accuracy", "agreement": "as float", "snr_db": "SNR (dB)"}[measure]
    table = _table(f"stations, {waterfall['num_samples']:,} samples")
    _columns(table, [title, "points" if is_share else "dB"])
    table.add_column("", no_wrap=True)
    if is_share:
        _columns(table, ["SNR (dB)"])
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
            Text(_bar(share), "blue"),
        ]
        table.add_row(*cells, *([ratio] if is_share else []))
    return table


def _bar(share: float) -> str:
    """A bar of eighths of a character."""
    eighths = round(min(share, 1.0) * _BAR_WIDTH * 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def _layers(facts: dict[str, Any]) -> RenderableType:
    table = _table("layers")
    _columns(table, ["runs in", "MACs", "tiles", "bits", "n", "SNR (dB)", "clipping", "ADC use", "error µS"])
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


def _table(first: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column(first, no_wrap=True)
    return table


def _columns(table: Table, titles: list[str]) -> None:
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)


def _closing(facts: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, text in (
        ("programming", _programming(facts["programming"])),
        ("in memory", _coverage(facts)),
        ("converters", describe_converters(facts["converters"])),
        ("actions", _actions(facts)),
        ("made by", _origin(facts["origin"])),
    ):
        table.add_row(Text(name, "bold"), Text(text))
    return table


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
