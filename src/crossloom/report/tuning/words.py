"""Figures of tuning in words, for the page and for the terminal."""

from typing import Any

from crossloom.report.formats import UNKNOWN, show_count, show_points

_KNOBS = {
    "integration_time": "integration time",
    "adc_range": "ADC range",
    "read_voltage": "read voltage",
    "full_scale": "ADC range",
}
_METHODS = {"two stages": "in two stages", "general": "by a search over knobs", "exhaustive": "exhaustively"}


def knob_name(name: str) -> str:
    """The knob in words: the last part of a dotted path.

    >>> knob_name("integration_time"), knob_name("chip.core.macro.readout.bits")
    ('integration time', 'bits')
    """
    return _KNOBS.get(name, name.rpartition(".")[2].replace("_", " "))


def method_name(name: str) -> str:
    """The method in words."""
    return _METHODS.get(name, name.replace("_", " "))


def show_error(value: float | None) -> str:
    """An error of outputs."""
    return UNKNOWN if value is None else f"{value:.3g}"


def show_setting(pair: list[Any]) -> str:
    """A setting before and after, or the one that stayed.

    >>> show_setting([63.0, 41.0]), show_setting([0.2, 0.2]), show_setting([None, 3])
    ('63 → 41', '0.2', '– → 3')
    """
    before, after = (_setting(value) for value in pair)
    return before if before == after else f"{before} → {after}"


def _setting(value: Any) -> str:
    return UNKNOWN if value is None else f"{value:.4g}" if isinstance(value, float | int) else str(value)


def gain(facts: dict[str, Any]) -> float:
    """What tuning added to the accuracy, or without labels took from the error."""
    measure = facts["measure"]
    change = facts["after"][measure] - facts["before"][measure]
    return change if measure == "accuracy" else -change


def show_worth(worth: float, measure: str) -> str:
    """What was added to the accuracy, or taken from the error.

    >>> show_worth(0.0332, "accuracy"), show_worth(-0.004, "accuracy"), show_worth(0.0332, "error")
    ('+3.3 points', '−0.4 points', '−0.033')
    """
    if measure == "accuracy":
        return f"{show_points(-worth)} points"
    return f"{-worth:+.2g}".replace("-", "−")


def describe_effort(facts: dict[str, Any]) -> str:
    """What the search took."""
    return f"{facts['num_evaluations']:,.1f} evaluations of the network, {show_count(facts['num_mvms'])} MVMs"
