"""The page of a cost report."""

from typing import Any

from crossloom.report.blocks import fact
from crossloom.report.cost.figures import draw_cost
from crossloom.report.cost.sections import cost_sections
from crossloom.report.cost.words import show_density, show_efficiency, show_power, show_throughput, show_time
from crossloom.report.html import Page
from crossloom.report.markup import Markup, element, join
from crossloom.report.quantities import scale_for


def make_cost_page(facts: dict[str, Any]) -> Page:
    """The page of what `gather_cost` found."""
    figures = draw_cost(facts)
    about = join([element("b", facts["system"]), f": energy, time and area by the table {facts['table']}"])
    sections = cost_sections(facts, figures)
    return Page(facts["title"], about, _glance(facts), facts["notes"], sections, figures)


def _glance(facts: dict[str, Any]) -> list[Markup]:
    energy, rates = facts["energy"], facts["rates"]["effective"]
    scale, area = scale_for([energy["energy"]], "J"), scale_for([facts["area"]], "m²")
    bounds = scale.show_range(energy["energy_low"], energy["energy_high"])
    beside = f"{bounds} {scale.unit}" if bounds else ""
    pipelined = f"then one every {show_time(facts['interval'])} in a pipeline" if facts["interval"] else ""
    return [
        fact("energy a sample", f"{scale.show(energy['energy'])} {scale.unit}", beside),
        fact("latency", show_time(facts["latency"]), pipelined),
        fact(
            "effective throughput",
            show_throughput(rates["throughput"]),
            f"at {show_power(rates['power'])}",
        ),
        fact("effective efficiency", show_efficiency(rates["operations_per_joule"]), _peak(facts)),
        fact("area", f"{area.show(facts['area'])} {area.unit}", show_density(rates["operations_per_area"])),
    ]


def _peak(facts: dict[str, Any]) -> str:
    return f"peak {show_efficiency(facts['rates']['peak']['operations_per_joule'])}"
