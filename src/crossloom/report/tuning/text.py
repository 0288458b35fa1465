"""A tuning on a terminal."""

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossloom.report.console import draw_bar, make_notes, make_pairs, make_table, stack
from crossloom.report.formats import shorten, show_share
from crossloom.report.tuning.words import (
    describe_effort,
    gain,
    knob_name,
    method_name,
    show_error,
    show_setting,
    show_worth,
)

_MOST_KNOBS = 3


def make_tuning_text(facts: dict[str, Any]) -> Group:
    """What `gather_tuning` found, for a terminal."""
    head = Text("\n").join(
        [Text(facts["title"], "bold"), Text(f"tuned {method_name(facts['method'])}", "dim")]
    )
    return stack([head, make_notes(facts["notes"]), *tuning_text(facts)])


def tuning_text(facts: dict[str, Any]) -> list[RenderableType]:
    """The tables alone: the whole, and every layer."""
    return [_whole(facts), *([_layers(facts)] if facts["layers"] else []), _closing(facts)]


def _whole(facts: dict[str, Any]) -> Table:
    table = make_table(f"{facts['after']['num_samples']:,} held-out samples", ["accuracy"])
    table.add_column("", no_wrap=True)
    table.add_column("error", justify="right", no_wrap=True)
    for name in ("before", "after"):
        score = facts[name]
        bar = Text(draw_bar(score["accuracy"] or 0), "blue")
        table.add_row(name, show_share(score["accuracy"], 2), bar, show_error(score["error"]))
    return table


def _layers(facts: dict[str, Any]) -> Table:
    knobs = list(dict.fromkeys(name for row in facts["layers"] for name in row["settings"]))[:_MOST_KNOBS]
    table = make_table("layers", ["error", "after", *map(knob_name, knobs)])
    for row in facts["layers"]:
        settings = [show_setting(row["settings"].get(name, [None, None])) for name in knobs]
        errors = [show_error(row["error_before"]), show_error(row["error_after"])]
        table.add_row(Text(shorten(row["name"], 26)), *errors, *settings)
    return table


def _closing(facts: dict[str, Any]) -> Table:
    measure = facts["measure"]
    worth = [f"{knob_name(name)} {show_worth(worth, measure)}" for name, worth in facts["worth"].items()]
    values = [f"{name} = {value}" for name, value in facts["values"].items()]
    pairs = [("gained", show_worth(gain(facts), measure))]
    pairs += [("worth", ", ".join(worth))] if worth else []
    pairs += [("chosen", ", ".join(values))] if values else []
    return make_pairs([*pairs, ("search", describe_effort(facts))])
