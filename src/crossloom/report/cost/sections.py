"""The sections of a page about costs."""

from typing import Any

from crossloom.report.blocks import legend, meter, named, picture, section
from crossloom.report.cost.colors import colors_of_layers, component_color, component_name
from crossloom.report.cost.pipeline_figure import MAX_SPANS
from crossloom.report.cost.words import describe_programming, rate_rows
from crossloom.report.formats import UNKNOWN, show_count, show_share
from crossloom.report.markup import Markup, element, table
from crossloom.report.quantities import scale_for


def cost_sections(facts: dict[str, Any], figures: dict[str, Any]) -> list[Markup]:
    """All that is said of costs, the whole first."""
    found = [_components(facts)]
    if "cost_energy" in figures:
        found.append(_layers(facts, figures))
    if "cost_pipeline" in figures:
        found.append(_pipeline(facts))
    return [*found, _rates(facts)]


def _components(facts: dict[str, Any]) -> Markup:
    explain = (
        f"Energy of one sample by component, {_how(facts)}. Lines: from the lowest to the highest that the sources of "
        "the constants allow; the range of a sum has all its constants low, or all high, at once. "
        f"Component table: {facts['table']}."
    )
    areas = [picture("cost_areas", "Area of all chips, by component")] if facts["areas"] else []
    pictures = element("div", picture("cost_components", "Energy, by component"), *areas, class_="columns")
    return section("What costs energy and area", pictures, _component_table(facts), explain=explain)


def _how(facts: dict[str, Any]) -> str:
    if facts["way"] == "estimate":
        return "estimated from the placement, before any run"
    return f"accounted from what {facts['num_samples']:,} samples did, and divided among them"


def _component_table(facts: dict[str, Any]) -> Markup:
    energies = scale_for([row["energy"] for row in facts["components"]], "J")
    areas = {row["component"]: row for row in facts["areas"]}
    of_area = scale_for([row["area"] for row in facts["areas"]], "m²")
    rows = []
    total, whole = facts["energy"]["energy"] or 1, facts["area"] or 1
    energy_of = {row["name"]: row for row in facts["components"]}
    for name in dict.fromkeys([*energy_of, *areas]):
        row, area = energy_of.get(name), areas.get(name)
        cells: list[object] = [named(component_name(name), component_color(name))]
        cells += _energy_cells(row, energies, total)
        cells += [
            of_area.show(area["area"] if area else None),
            show_share(area["area"] / whole) if area else UNKNOWN,
        ]
        rows.append(cells)
    columns = ["component|", "actions", energies.title("energy"), "range", "share"]
    return table([*columns, of_area.title("area"), "of the area"], rows)


def _energy_cells(row: dict[str, Any] | None, scale: Any, total: float) -> list[object]:
    if row is None:
        return [UNKNOWN] * 4
    bounds = scale.show_range(row["energy_low"], row["energy_high"]) or UNKNOWN
    share = meter(show_share(row["energy"] / total), row["energy"] / total)
    return [show_count(row["count"]), scale.show(row["energy"]), bounds, share]


def _layers(facts: dict[str, Any], figures: dict[str, Any]) -> Markup:
    explain = (
        "Energy: lines as above; those that leave the picture go on, to where the table says. "
        "Time: how long each resource works for the layer on any chip; the line is the time from the layer's first "
        "action to its last, less than the sum where resources work at once."
    )
    times = [picture("cost_latency", "Time of one sample, by layer")] if "cost_latency" in figures else []
    drawn = [picture("cost_energy", "Energy of one sample, by layer"), *times]
    return section("Energy and time, layer by layer", *drawn, _layer_table(facts), explain=explain)


def _layer_table(facts: dict[str, Any]) -> Markup:
    rows, colors = facts["layers"], colors_of_layers(facts)
    energy, time = (
        scale_for([row[key] for row in rows], unit) for key, unit in (("energy", "J"), ("latency", "s"))
    )
    total = facts["energy"]["energy"] or 1
    cells = []
    for row in rows:
        dearest = max(row["components"], key=row["components"].__getitem__, default=None)
        name = named(row["name"], colors[row["name"]]) if row["name"] else "of no layer"
        share = meter(show_share(row["energy"] / total), row["energy"] / total)
        bounds = energy.show_range(row["energy_low"], row["energy_high"]) or UNKNOWN
        most = _most(row, dearest)
        start, latency = time.show(row["start"]), time.show(row["latency"])
        cells.append([name, energy.show(row["energy"]), bounds, share, most, start, latency])
    columns = ["layer|", energy.title("energy"), "range", "share", "dearest|"]
    return table([*columns, time.title("begins"), time.title("takes")], cells, "tall")


def _most(row: dict[str, Any], dearest: str | None) -> str:
    if dearest is None or not row["energy"]:
        return UNKNOWN
    return f"{component_name(dearest)}, {show_share(row['components'][dearest] / row['energy'], 0)}"


def _pipeline(facts: dict[str, Any]) -> Markup:
    scale = scale_for([facts["latency"]], "s")
    explain = (
        f"One sample on its way: {scale.show(facts['latency'])} {scale.unit} from first to last. In a pipeline the "
        f"next sample follows after {scale.show(facts['interval'])} {scale.unit}, so {_at_once(facts)} on the chips "
        "at once. Point at a bar for its layer, drag to zoom, double-click to go back."
    )
    hidden = len(facts["spans"]) - MAX_SPANS
    more = (
        [element("p", f"{hidden:,} more spans are not drawn; the JSON report holds them all.")]
        if hidden > 0
        else []
    )
    names = legend(colors_of_layers(facts).items())
    return section("What every chip does when", picture("cost_pipeline"), *more, names, explain=explain)


def _at_once(facts: dict[str, Any]) -> str:
    number = facts["latency"] / facts["interval"] if facts["interval"] else 1.0
    return "one sample is" if number < 1.05 else f"{number:.1f} samples are"


def _rates(facts: dict[str, Any]) -> Markup:
    explain = (
        "Peak: every macro busy all the time. Effective: this model, one sample after the other in a pipeline. An "
        f"operation is a multiplication or an addition: 2 for each multiply-accumulate, "
        f"{show_count(facts['num_operations'])} for a sample."
    )
    rates = table(["|", "effective", "peak", "effective of peak"], rate_rows(facts))
    programming = facts["programming"]
    written = [] if programming is None else [element("p", describe_programming(programming))]
    return section("Peak and effective", rates, *written, explain=explain)
