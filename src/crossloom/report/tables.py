"""The tables of a report's page."""

from collections.abc import Sequence
from typing import Any

from crossloom.report.blocks import meter, named
from crossloom.report.colors import layer_colors
from crossloom.report.formats import (
    UNKNOWN,
    show_bytes,
    show_count,
    show_db,
    show_micro,
    show_operation,
    show_points,
    show_range,
    show_share,
)
from crossloom.report.markup import Markup, element, table

MAX_ROWS = 400
_STATION_TITLES = {"accuracy": "accuracy", "agreement": "as float"}
_LAYER_COLUMNS = (
    *("layer|", "operation|", "runs in|", "MACs", "tiles", "chips", "bits", "encoding|"),
    *("n", "SNR (dB)", "clipping", "ADC use", "error (µS)"),
)
_WHERE = {"chip": "memory", "integer": "digital, integer", "float": "digital, float"}


def station_table(waterfall: dict[str, Any]) -> Markup:
    """What is known of every station."""
    keys = {"accuracy": ["accuracy", "agreement"], "agreement": ["agreement"], "snr_db": []}[
        waterfall["measure"]
    ]
    titles = [_STATION_TITLES[key] for key in keys]
    rows = []
    for station in waterfall["stations"]:
        figures = [show_share(station[key], 2) for key in keys]
        figures[1:1] = [show_points(station["drop"])] if keys else []
        rows.append([station["name"], *figures, show_db(station["snr_db"], station["snr_db"] is None)])
    titles[1:1] = ["points"] if keys else []
    return table(["station|", *titles, "SNR (dB)"], rows, "stations")


def layer_table(facts: dict[str, Any]) -> Markup:
    """Every matrix operation: where it ran, how it lies in cells, how faithful it was.

    What is the same for all, or known of none, has no column.
    """
    hidden = {"encoding|" if shared_encoding(facts) else "", "" if facts["programming"] else "error (µS)"}
    columns = [column for column in _LAYER_COLUMNS if column not in hidden]
    rows = []
    for row, color in zip(facts["layers"], layer_colors(len(facts["layers"])), strict=True):
        cells = [named(row["name"], color), show_operation(row), _WHERE[row["runs"]], _bar(row["macs_share"])]
        cells += [row["num_tiles"] or UNKNOWN, _chips(row["chips"]), _bits(row)]
        cells += [element("span", _lies(row), class_="wrap")]
        cells += [show_range(row["integration_time"], 2), show_db(row["snr_db"], row["is_exact"])]
        cells += [show_share(row["clipping_rate"]), show_share(row["adc_use"], 0)]
        cells += [show_micro(row["programming_error"])]
        titled = zip(_LAYER_COLUMNS, cells, strict=True)
        rows.append([cell for column, cell in titled if column not in hidden])
    return table(columns, rows, "layers")


def shared_encoding(facts: dict[str, Any]) -> str | None:
    """How all mapped layers lie in cells, or None where they differ."""
    found = {_lies(row) for row in facts["layers"] if row["is_mapped"]}
    return found.pop() if len(found) == 1 else None


def _bar(share: float) -> Markup:
    return meter(show_share(share), share)


def _chips(chips: Sequence[int]) -> str:
    if not chips:
        return UNKNOWN
    return ", ".join(map(str, chips)) if len(chips) <= 3 else f"{len(chips)} of them"


def _bits(row: dict[str, Any]) -> str:
    return f"{row['weight_bits']} / {row['input_bits']}{'' if row['input_is_signed'] else 'u'}"


def _lies(row: dict[str, Any]) -> str:
    """Encoding, slicing and input mode, and copies where there are some."""
    if row["encoding"] is None:
        return UNKNOWN
    per_cell = f" ×{row['bits_per_cell']} bit" if row["bits_per_cell"] else ""
    parts = [row["encoding"], f"{row['slicing']}{per_cell}", row["input_mode"]]
    copies = [f"{row[key]} {key}" for key in ("copies", "row_copies") if row[key] > 1]
    return ", ".join(part.replace("_", " ") for part in (*parts, *copies))


def coverage_table(facts: dict[str, Any]) -> Markup:
    """What runs in memory and digitally, by operation, and why."""
    groups: dict[tuple[str, str, str], list[int | None]] = {}
    for node in facts["coverage"]["nodes"]:
        operation = node["operation"].removeprefix("aten.").partition(".")[0]
        groups.setdefault((node["where"], operation, node["why"]), []).append(node["macs"])
    total = max(facts["coverage"]["macs"], 1)
    rows = []
    for (where, operation, why), macs in sorted(
        groups.items(), key=lambda item: -sum(n or 0 for n in item[1])
    ):
        known = sum(number or 0 for number in macs)
        count = UNKNOWN if None in macs else show_count(known)
        share = Markup(UNKNOWN) if None in macs else _bar(known / total)
        rows.append([where, element("code", operation), why, len(macs), count, share])
    return table(["runs in|", "operation|", "why|", "nodes", "MACs per sample", "share"], rows)


def schedule_table(facts: dict[str, Any]) -> Markup:
    """The steps in the order in which they run."""
    colors = dict(
        zip((row["name"] for row in facts["layers"]), layer_colors(len(facts["layers"])), strict=True)
    )
    rows = [
        [
            number,
            named(step["layer"], colors[step["layer"]]),
            step["chip"],
            len(step["tiles"]),
            show_count(step["num_vectors"]),
            ", ".join(map(str, sorted(step["after"]))) or UNKNOWN,
            show_bytes(step["bytes_in"]),
            show_bytes(step["bytes_out"]),
        ]
        for number, step in enumerate(facts["schedule"][:MAX_ROWS])
    ]
    return table(
        ["step", "layer|", "chip", "tiles", "vectors", "after|", "bytes in", "bytes out"], rows, "tall"
    )


def count_table(facts: dict[str, Any]) -> Markup:
    """What the chips did in this run, by layer and together."""
    keys = ("num_mvms", "num_cycles", "num_row_drives", "num_conversions", "bytes_in", "bytes_out")
    named = [*list(facts["counts"]["layers"].items())[:MAX_ROWS], ("all together", facts["counts"]["total"])]
    rows = [[element("code", name), *(_amount(key, counts[key]) for key in keys)] for name, counts in named]
    return table(
        ["layer|", "MVMs", "cycles", "row drives", "conversions", "bytes in", "bytes out"], rows, "tall"
    )


def _amount(key: str, number: int) -> str:
    return show_bytes(number) if key.startswith("bytes") else show_count(number)


def source_table(sources: dict[str, str]) -> Markup:
    """Where the hardware's numbers come from."""
    return table(["number|", "source|"], [[element("code", path), text] for path, text in sources.items()])
