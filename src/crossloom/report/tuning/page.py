"""The page of a tuning."""

from typing import Any

from crossloom.report.blocks import fact
from crossloom.report.formats import show_count, show_share
from crossloom.report.html import Page
from crossloom.report.markup import Markup, as_markup
from crossloom.report.tuning.figures import draw_tuning
from crossloom.report.tuning.sections import tuning_sections
from crossloom.report.tuning.words import gain, method_name, show_error, show_worth


def make_tuning_page(facts: dict[str, Any]) -> Page:
    """The page of what `gather_tuning` found."""
    figures = draw_tuning(facts)
    about = as_markup(
        f"tuned {method_name(facts['method'])}; judged on samples that were not used for tuning"
    )
    sections = tuning_sections(facts, figures)
    return Page(facts["title"], about, _glance(facts), facts["notes"], sections, figures)


def _glance(facts: dict[str, Any]) -> list[Markup]:
    before, after = facts["before"], facts["after"]
    samples = f"{after['num_samples']:,} held-out samples"
    rows = [fact("evaluations", f"{facts['num_evaluations']:,.1f}", f"{show_count(facts['num_mvms'])} MVMs")]
    if facts["measure"] == "accuracy":
        scores = f"{show_share(before['accuracy'])} → {show_share(after['accuracy'])}"
        rows = [fact("accuracy", scores, samples), fact("gained", show_worth(gain(facts), "accuracy")), *rows]
    errors = f"{show_error(before['error'])} → {show_error(after['error'])}"
    better = sum(row["error_after"] < row["error_before"] for row in facts["layers"])
    layers = f"{better} of {len(facts['layers'])}"
    return [*rows, fact("error (NMSE)", errors, samples), fact("layers improved", layers)]
