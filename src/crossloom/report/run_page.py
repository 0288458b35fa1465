"""The page of a run: what became of a model on its chips."""

from typing import Any

from crossloom.report.blocks import fact
from crossloom.report.cost.figures import draw_cost
from crossloom.report.cost.sections import cost_sections
from crossloom.report.figures import make_figures
from crossloom.report.formats import show_count, show_db, show_share
from crossloom.report.html import Page
from crossloom.report.markup import Markup, element, join
from crossloom.report.sections import make_sections
from crossloom.report.tuning.figures import draw_tuning
from crossloom.report.tuning.sections import tuning_sections


def make_run_page(facts: dict[str, Any]) -> Page:
    """The page of what `gather_facts` found."""
    figures, system = make_figures(facts), facts["system"]
    about = join([element("b", system["name"]), f": {system['description']}"])
    sections = make_sections(facts, figures)
    notes = list(facts["notes"])
    for name, draw, make in (("tuning", draw_tuning, tuning_sections), ("cost", draw_cost, cost_sections)):
        if facts[name] is not None:
            own = draw(facts[name])
            sections[-1:-1] = make(facts[name], own)  # before how all this was made
            figures |= own
            notes += facts[name]["notes"]
    return Page(facts["title"], about, _figures_at_a_glance(facts), notes, sections, figures)


def _figures_at_a_glance(facts: dict[str, Any]) -> list[Markup]:
    model, placed, system = facts["model"], facts["placement"], facts["system"]
    bound = f"area bound {placed['area_bound']}; {show_share(placed['utilization'])} of their cells in use"
    mapped = f"{model['num_mapped']} of them on crossbars"
    return [
        _headline(facts["waterfall"]),
        fact("layers", show_count(model["num_layers"]), mapped),
        fact("weights", show_count(model["num_weights"]), f"{show_count(model['num_cells'])} cells"),
        fact(
            "MACs in memory",
            show_share(facts["coverage"]["share_in_memory"]),
            f"{show_count(facts['coverage']['macs'])} MACs a sample",
        ),
        fact("macros", f"{placed['num_macros']} of {system['num_macros']}", bound),
        fact("chips", f"{placed['num_chips']} of {system['num_chips']}", _crossbar(system)),
    ]


def _headline(waterfall: dict[str, Any]) -> Markup:
    first, last = waterfall["stations"][0], waterfall["stations"][-1]
    samples = f"{waterfall['num_samples']:,} samples"
    if waterfall["measure"] == "snr_db":
        ratio = show_db(last["snr_db"], last["snr_db"] is None)
        return fact("SNR to float", ratio if last["snr_db"] is None else f"{ratio} dB", samples)
    if waterfall["measure"] == "accuracy":
        beside = f"float {show_share(first['accuracy'])}; {samples}"
        return fact("accuracy on chip", show_share(last["accuracy"]), beside)
    return fact("same answer as float", show_share(last["agreement"]), samples)


def _crossbar(system: dict[str, Any]) -> str:
    return f"crossbars of {system['num_rows']:,} × {system['num_columns']:,} cells"
