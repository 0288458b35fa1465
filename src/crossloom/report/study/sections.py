"""The sections of a page about a study."""

from typing import Any

from crossloom.report.blocks import details, meter, picture, section
from crossloom.report.formats import UNKNOWN, show_number_of
from crossloom.report.markup import Markup, element, join, table
from crossloom.report.study.columns import goal_scales, short_knob
from crossloom.report.study.words import (
    best_points,
    describe_effort,
    describe_goals,
    describe_knob,
    group_failures,
    show_outcome,
    show_value,
)

MAX_ROWS = 60
_MAX_NUMBERS = 40


def study_sections(facts: dict[str, Any], figures: dict[str, Any]) -> list[Markup]:
    """All that is said of a study, what was reached first."""
    found = [_front(figures["study_front"])] if "study_front" in figures else []
    found += [_progress(facts, figures), _best(facts)]
    if facts["counts"]["failed"]:
        found.append(_failures(facts))
    return [*found, _space(facts)]


def _front(figure: dict[str, Any]) -> Markup:
    columns = figure["axes"]["columns"]
    chosen = {letter: _chooser(letter, columns, figure["axes"][letter]) for letter in ("y", "x")}
    choosers = element("p", "Show ", chosen["y"], " against ", chosen["x"], class_="choose")
    has_errors = any(column["errors"] for column in columns)
    explain = (
        "Blue: points that no other beats in all goals at once. Dotted: the border of the two goals that are shown. "
        + ("Lines: one standard error over chips. " if has_errors else "")
        + "Point at a point for its settings, drag to zoom, double-click to go back."
    )
    return section("Pareto front", choosers, picture("study_front"), explain=explain)


def _chooser(letter: str, columns: list[dict[str, Any]], number: int) -> Markup:
    """A list of what can be put on an axis."""
    options = [
        element(
            "option",
            short_knob(column["name"]),
            value=own,
            selected="selected" if own == number else None,
        )
        for own, column in enumerate(columns)
    ]
    return element("select", *options, data_axis=letter, aria_label=f"{letter} axis")


def _progress(facts: dict[str, Any], figures: dict[str, Any]) -> Markup:
    captions = {
        "study_trajectory": "What was reached, against the compute spent",
        "study_importance": "What each knob matters",
    }
    pictures = [picture(name, caption) for name, caption in captions.items() if name in figures]
    measure = (
        "Best so far: over the points of full fidelity. "
        if len(facts["goals"]) == 1
        else "Hypervolume: the volume in the space of the goals that the front dominates. "
    )
    importance = "A knob's share: how much it takes to reach the best tenth of a goal's values (PED-ANOVA)."
    explain = f"{describe_effort(facts)} {measure}{importance if 'study_importance' in figures else ''}"
    return section("The search", element("div", *pictures, class_="columns"), explain=explain)


def _best(facts: dict[str, Any]) -> Markup:
    points, scales = best_points(facts), goal_scales(facts)
    rows = []
    for point in points[:MAX_ROWS]:
        outcomes = [show_outcome(point, name, scale) for name, scale in scales.items()]
        knobs = [show_value(point["knobs"].get(knob["name"])) for knob in facts["knobs"]]
        cost = UNKNOWN if point["cost"] is None else f"{point['cost']:.3g}"
        rows.append([point["number"], *outcomes, *knobs, cost])
    if not rows:
        return section("Best points", element("p", "No point of full fidelity is done yet."))
    titles = [scale.title(name) for name, scale in scales.items()]
    columns = ["point", *titles, *(short_knob(knob["name"]) for knob in facts["knobs"]), "cost"]
    hidden = len(points) - MAX_ROWS
    more = [element("p", f"{hidden:,} more are in the JSON report.")] if hidden > 0 else []
    what = "The Pareto front" if len(facts["goals"]) > 1 else "Points of full fidelity"
    explain = f"{what}, from the best {facts['goals'][0]['name']} on."
    return section("Best points", table(columns, rows, "tall"), *more, explain=explain)


def _failures(facts: dict[str, Any]) -> Markup:
    items = [_failure(reason, points) for reason, points in group_failures(facts)]
    failed = show_number_of(facts["counts"]["failed"], "point")
    return section(
        "Failed points", *items, explain=f"{failed} failed; the rest went on. Open one for its traceback."
    )


def _failure(reason: str, points: list[dict[str, Any]]) -> Markup:
    numbers = ", ".join(str(point["number"]) for point in points[:_MAX_NUMBERS])
    more = f" and {len(points) - _MAX_NUMBERS} more" if len(points) > _MAX_NUMBERS else ""
    first = points[0]
    settings = ", ".join(
        f"{short_knob(name)} = {show_value(value)}" for name, value in first["knobs"].items()
    )
    told = join(
        [
            element("p", f"Points {numbers}{more}. The first, with {settings}:"),
            element("pre", first["failure"] or "no traceback is known"),
        ]
    )
    return details(f"{show_number_of(len(points), 'point')}: {reason}", told)


def _space(facts: dict[str, Any]) -> Markup:
    total = {
        knob["name"]: max(
            (shares.get(knob["name"], 0.0) for shares in facts["importance"].values()), default=0.0
        )
        for knob in facts["knobs"]
    }
    rows = [
        [
            element("code", knob["name"]),
            knob["kind"],
            describe_knob(knob),
            meter(f"{total[knob['name']]:.0%}", total[knob["name"]]),
        ]
        for knob in facts["knobs"]
    ]
    explain = f"Sought: {describe_goals(facts['goals'])}."
    return section(
        "What was searched", table(["knob|", "kind|", "values|", "matters most"], rows), explain=explain
    )
