"""The sections of a page about tuning."""

from typing import Any

from crossloom.report.blocks import picture, section
from crossloom.report.formats import UNKNOWN, show_share
from crossloom.report.markup import Markup, element, table
from crossloom.report.tuning.words import (
    describe_effort,
    gain,
    knob_name,
    show_error,
    show_setting,
    show_worth,
)


def tuning_sections(facts: dict[str, Any], figures: dict[str, Any]) -> list[Markup]:
    """All that is said of tuning, the whole first."""
    return [_whole(facts, figures), *([_layers(facts, figures)] if facts["layers"] else [])]


def _whole(facts: dict[str, Any], figures: dict[str, Any]) -> Markup:
    is_accuracy = facts["measure"] == "accuracy"
    lines = "; lines: one standard error" if is_accuracy else ""
    adds = "adds to the accuracy" if is_accuracy else "takes from the error"
    explain = (
        f"On {facts['after']['num_samples']:,} samples that took no part in tuning{lines}. What a knob is worth: "
        f"what it {adds}, given those before it. Error: its square over the square of the ideal output (NMSE). "
        f"The search took {describe_effort(facts)}."
    )
    captions = {
        "tuning_steps": "Before and after, and what each kind of knob is worth",
        "tuning_trajectory": "The least error so far, as the search went on",
    }
    pictures = [picture(name, caption) for name, caption in captions.items() if name in figures]
    columns = element("div", *pictures, class_="columns")
    values = ", ".join(f"{name} = {value}" for name, value in facts["values"].items())
    chosen = [element("p", "Chosen: ", element("code", values))] if values else []
    return section("What tuning did", columns, _score_table(facts), *chosen, explain=explain)


def _score_table(facts: dict[str, Any]) -> Markup:
    rows = []
    for name in ("before", "after"):
        score = facts[name]
        error = score["standard_error"]
        sure = UNKNOWN if error is None else f"± {100 * error:.2f} points"
        samples = f"{score['num_samples']:,}"
        rows.append([name, show_share(score["accuracy"], 2), sure, show_error(score["error"]), samples])
    changes = [(f"worth of {knob_name(name)}", worth) for name, worth in facts["worth"].items()]
    rows += [_change(name, worth, facts["measure"]) for name, worth in [*changes, ("gained", gain(facts))]]
    return table(["|", "accuracy", "standard error", "error", "samples"], rows)


def _change(name: str, worth: float, measure: str) -> list[object]:
    """A row of the table of scores, in the column of the figure that it changes."""
    shown = element("b", show_worth(worth, measure)) if name == "gained" else show_worth(worth, measure)
    return [name, shown, "", "", ""] if measure == "accuracy" else [name, "", "", shown, ""]


def _layers(facts: dict[str, Any], figures: dict[str, Any]) -> Markup:
    explain = (
        "Error of each layer's output on vectors held out (NMSE), before and after, and what each knob took away "
        "of it, given those before it. Settings: means over the layer's tiles, before → after."
    )
    captions = {"tuning_layers": "Error, before and after", "tuning_worth": "What each knob took away"}
    drawn = [picture(name, caption) for name, caption in captions.items() if name in figures]
    return section("Tuned, layer by layer", *drawn, _layer_table(facts), explain=explain)


def _layer_table(facts: dict[str, Any]) -> Markup:
    knobs = list(dict.fromkeys(name for row in facts["layers"] for name in row["settings"]))
    rows = []
    for row in facts["layers"]:
        settings = [show_setting(row["settings"].get(name, [None, None])) for name in knobs]
        errors = [show_error(row["error_before"]), show_error(row["error_after"])]
        rows.append([element("code", row["name"]), *errors, *settings])
    return table(["layer|", "error before", "after", *map(knob_name, knobs)], rows, "tall")
