"""A cost report on a terminal."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossloom.report.console import draw_bar, make_notes, make_pairs, make_table, stack
from crossloom.report.cost.colors import component_name
from crossloom.report.cost.words import describe_programming, rate_rows, show_time
from crossloom.report.formats import UNKNOWN, shorten, show_count, show_share
from crossloom.report.quantities import scale_for

MAX_ROWS = 60


def make_cost_text(facts: dict[str, Any]) -> Group:
    """What `gather_cost` found, for a terminal."""
    head = Text("\n").join([Text(facts["title"], "bold"), Text(_about(facts), "dim")])
    return stack([head, make_notes(facts["notes"]), *cost_text(facts)])


def cost_text(facts: dict[str, Any]) -> list[RenderableType]:
    """The tables alone: by component, by layer, peak and effective, and the whole."""
    return [_components(facts), _layers(facts), _rates(facts), _closing(facts)]


def _about(facts: dict[str, Any]) -> str:
    how = (
        "estimated from the placement"
        if facts["way"] == "estimate"
        else f"accounted over {facts['num_samples']:,} samples"
    )
    return f"{how}; component table {facts['table']}; energies and times are those of one sample"


def _components(facts: dict[str, Any]) -> Table:
    scale = scale_for([row["energy"] for row in facts["components"]], "J")
    table = make_table("energy by component", ["actions", scale.unit, "range", "share"])
    table.add_column("", no_wrap=True)
    total = facts["energy"]["energy"] or 1
    for row in facts["components"]:
        share = row["energy"] / total
        bounds = scale.show_range(row["energy_low"], row["energy_high"]) or UNKNOWN
        cells = [component_name(row["name"]), show_count(row["count"]), scale.show(row["energy"]), bounds]
        table.add_row(*cells, show_share(share), Text(draw_bar(share), "blue"))
    return table


def _layers(facts: dict[str, Any]) -> Table:
    energy = scale_for([row["energy"] for row in facts["layers"]], "J")
    time = scale_for([row["latency"] for row in facts["layers"]], "s")
    titles = [f"energy {energy.unit}", "share", "dearest", f"begins {time.unit}", f"takes {time.unit}"]
    table, total = make_table("layers", titles), facts["energy"]["energy"] or 1
    for row in facts["layers"][:MAX_ROWS]:
        dearest = max(row["components"], key=row["components"].__getitem__, default="")
        name, share = shorten(row["name"] or "of no layer", 34), show_share(row["energy"] / total)
        times = [time.show(row["start"]), time.show(row["latency"])]
        table.add_row(Text(name), energy.show(row["energy"]), share, component_name(dearest), *times)
    hidden = len(facts["layers"]) - MAX_ROWS
    if hidden > 0:
        table.add_row(Text(f"and {hidden} more", "dim"))
    return table


def _rates(facts: dict[str, Any]) -> Table:
    table = make_table("", ["effective", "peak", "of peak"])
    for row in rate_rows(facts):
        table.add_row(*row)
    return table


def _closing(facts: dict[str, Any]) -> Table:
    energy, area = facts["energy"], scale_for([facts["area"]], "m²")
    scale = scale_for([energy["energy"]], "J")
    bounds = scale.show_range(energy["energy_low"], energy["energy_high"])
    pairs = [
        ("energy", f"{scale.show(energy['energy'])} {scale.unit}" + (f" ({bounds})" if bounds else "")),
        (
            "latency",
            f"{show_time(facts['latency'])}; pipelined, one sample every {show_time(facts['interval'])}",
        ),
        ("area", f"{area.show(facts['area'])} {area.unit}"),
    ]
    if facts["programming"]:
        text = describe_programming(facts["programming"]).partition(": ")[2].rstrip(".")
        pairs.append(("programming", text))
    return make_pairs(pairs)
