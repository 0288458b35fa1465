"""The page of a study."""

from typing import Any

from crossloom.report.blocks import fact
from crossloom.report.formats import show_count, show_number_of
from crossloom.report.html import Page
from crossloom.report.markup import Markup, as_markup
from crossloom.report.study.columns import goal_scales
from crossloom.report.study.figures import draw_study
from crossloom.report.study.sections import study_sections
from crossloom.report.study.words import best_points, describe_goals, show_outcome
from crossloom.units import format_si

_MOST_GOALS = 4


def make_study_page(facts: dict[str, Any]) -> Page:
    """The page of what `gather_study` found."""
    figures = draw_study(facts)
    about = as_markup(f"{describe_goals(facts['goals'])}, over {show_number_of(len(facts['knobs']), 'knob')}")
    sections = study_sections(facts, figures)
    return Page(facts["title"], about, _glance(facts), facts["notes"], sections, figures)


def _glance(facts: dict[str, Any]) -> list[Markup]:
    counts, points = facts["counts"], best_points(facts)
    others = [f"{counts[state]:,} {state}" for state in counts if state != "done" and counts[state]]
    rows = [fact("points done", show_count(counts["done"]), ", ".join(others) or "none failed")]
    if len(facts["goals"]) > 1:
        rows.append(
            fact("on the Pareto front", show_count(len(points)), "no other point beats them in all goals")
        )
    for goal, scale in list(goal_scales(facts).items())[:_MOST_GOALS]:
        rows.append(_extreme(facts, goal, scale))
    if len(facts["goals"]) >= _MOST_GOALS:
        return rows
    spent = "" if facts["cost_is_seconds"] else f"{facts['cost']:.4g} of compute"
    return [*rows, fact("time", format_si(facts["seconds"], "s", 3), spent)]


def _extreme(facts: dict[str, Any], goal: str, scale: Any) -> Markup:
    way = next(row["direction"] for row in facts["goals"] if row["name"] == goal)
    known = [p for p in facts["points"] if p["fidelity"] >= 1 and goal in p["values"]]
    if not known:
        return fact(f"best {goal}", "–")
    pick = max if way == "maximise" else min
    best = pick(known, key=lambda point: point["values"][goal])
    value = f"{show_outcome(best | {'errors': {}}, goal, scale)} {scale.unit}".strip()
    error = best["errors"].get(goal)
    sure = f"± {scale.show(error, 2)}; " if error else ""
    return fact(f"best {goal}", value, f"{sure}point {best['number']}")
