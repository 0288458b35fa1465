"""A study on a terminal."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from crossloom.report.console import draw_bar, make_notes, make_table, stack
from crossloom.report.formats import shorten
from crossloom.report.study.columns import goal_scales, short_knob
from crossloom.report.study.words import (
    best_points,
    describe_counts,
    describe_goals,
    group_failures,
    show_outcome,
    show_value,
)

_MOST_POINTS, _MOST_REASONS, _MOST_GOALS = 20, 8, 3


def make_study_text(facts: dict[str, Any]) -> Group:
    """What `gather_study` found, for a terminal."""
    head = Text("\n").join(
        [
            Text(facts["title"], "bold"),
            Text(describe_goals(facts["goals"]), "dim"),
            Text(describe_counts(facts)),
        ]
    )
    failures = _failures(facts) if facts["counts"]["failed"] else None
    importance = _importance(facts) if any(facts["importance"].values()) else None
    return stack([head, make_notes(facts["notes"]), _best(facts), importance, failures])


def _best(facts: dict[str, Any]) -> "_Best | None":
    """The best points: goals, then as many knobs as fit, those that matter most first."""
    points = best_points(facts)
    if not points:
        return None
    shown = points[:_MOST_POINTS]
    first = "front" if len(facts["goals"]) > 1 else "best"
    columns = [(first, [str(point["number"]) for point in shown])]
    for name, scale in goal_scales(facts).items():
        columns.append((scale.title(name), [show_outcome(point, name, scale) for point in shown]))
    for name in _most_important(facts):
        values = [shorten(show_value(point["knobs"].get(name)), 18) for point in shown]
        columns.append((shorten(short_knob(name), 18), values))
    return _Best(columns, len(points) - len(shown))


@dataclass(frozen=True)
class _Best:
    """A table of as many columns as the terminal has room for."""

    columns: list[tuple[str, list[str]]]
    num_hidden: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = self._fitting(options.max_width)
        table = make_table(columns[0][0], [title for title, _ in columns[1:]])
        for row in zip(*(cells for _, cells in columns), strict=True):
            table.add_row(*map(Text, row))
        yield table
        if self.num_hidden:
            yield Text(f"and {self.num_hidden} more", "dim")

    def _fitting(self, most: int) -> list[tuple[str, list[str]]]:
        fitting, width = [], 0
        for title, cells in self.columns:
            width += max(map(len, (title, *cells))) + 1
            if width > most:
                break
            fitting.append((title, cells))
        return fitting or self.columns[:1]


def _most_important(facts: dict[str, Any]) -> list[str]:
    """Names of knobs, those that matter most first."""
    names = [knob["name"] for knob in facts["knobs"]]
    shares = facts["importance"].values()
    return sorted(names, key=lambda name: -max((share.get(name, 0.0) for share in shares), default=0.0))


def _importance(facts: dict[str, Any]) -> Table:
    goals = [name for name, shares in facts["importance"].items() if shares]
    table = make_table("share in reaching the best", [shorten(goal, 14) for goal in goals[:_MOST_GOALS]])
    table.add_column("", no_wrap=True)
    for name in _most_important(facts):
        shares = [facts["importance"][goal].get(name, 0.0) for goal in goals]
        texts = [f"{share:.0%}" for share in shares[:_MOST_GOALS]]
        table.add_row(Text(shorten(name, 34)), *texts, Text(draw_bar(max(shares), 12), "blue"))
    return table


def _failures(facts: dict[str, Any]) -> Table:
    table = make_table("failed")
    table.add_column("reason", overflow="ellipsis", no_wrap=True)
    groups = group_failures(facts)
    for reason, points in groups[:_MOST_REASONS]:
        table.add_row(f"{len(points):,}", Text(reason, "red"))
    if len(groups) > _MOST_REASONS:
        table.add_row("", Text(f"and {len(groups) - _MOST_REASONS} more reasons", "dim"))
    return table
