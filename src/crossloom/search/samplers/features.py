"""Points as a Gaussian process sees them."""

from collections.abc import Mapping, Sequence
from typing import Any

from crossloom.search.knobs import Choice, Knob
from crossloom.search.space import Space


def features_of(space: Space, points: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """Features [point][feature] in [0, 1]: a place for every number, and one column per option of a choice, since
    options have no order."""
    return [
        [number for name, knob in space.knobs.items() for number in _features(knob, values[name])]
        for values in points
    ]


def free_features(space: Space) -> list[tuple[int, str]]:
    """(Column, name) of the knobs that are continuous."""
    found, column = [], 0
    for name, knob in space.knobs.items():
        if knob.size is None:
            found.append((column, name))
        column += knob.size if isinstance(knob, Choice) else 1
    return found


def _features(knob: Knob, value: Any) -> list[float]:
    if isinstance(knob, Choice):
        return [1.0 if option == value else 0.0 for option in knob.options]
    return [knob.to_unit(value)]  # type: ignore[arg-type]
