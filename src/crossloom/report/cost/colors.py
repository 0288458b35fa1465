"""The same colour for a component, a resource and a layer in every picture, and the words for them."""

from typing import Any

from crossloom.report.colors import layer_colors

_COMPONENTS = (
    ("adc", "ADC", "#3b6fd4"),
    ("cells", "cells", "#c8485a"),
    ("dac", "DAC", "#e0862f"),
    ("integrator", "integrator", "#8a63c9"),
    ("shift_and_add", "shift and add", "#1fa3b5"),
    ("buffer", "buffer", "#b8922a"),
    ("link", "link", "#d66ba0"),
    ("digital", "digital unit", "#3a9d5d"),
    ("leakage", "leakage", "#5d6f86"),
)
_RESOURCES = (
    ("macro", "macros", "#3b6fd4"),
    ("link", "links", "#d66ba0"),
    ("digital", "digital unit", "#3a9d5d"),
)
_OTHER = ("#6b8f2f", "#a0522d", "#7f7f7f", "#00796b")


def component_color(name: str) -> str:
    """The colour of a component; one that is not known here gets one by its name."""
    return {key: color for key, _, color in _COMPONENTS}.get(name, _other(name))


def component_name(name: str) -> str:
    """The component in words."""
    return {key: words for key, words, _ in _COMPONENTS}.get(name, name.replace("_", " "))


def resource_color(name: str) -> str:
    """The colour of what a chip is busy with."""
    return {key: color for key, _, color in _RESOURCES}.get(name, _other(name))


def resource_name(name: str) -> str:
    """What a chip is busy with, in words."""
    return {key: words for key, words, _ in _RESOURCES}.get(name, name.replace("_", " "))


def colors_of_layers(facts: dict[str, Any]) -> dict[str, str]:
    """A colour for every layer, in the order in which they run."""
    names = [row["name"] for row in facts["layers"] if row["name"]]
    return dict(zip(names, layer_colors(len(names)), strict=True))


def _other(name: str) -> str:
    return _OTHER[sum(name.encode()) % len(_OTHER)]
