"""Designs as the Gaussian processes see them: numbers in [0, 1], and one column per option of what has no order."""

from collections.abc import Iterable

import torch

from crossloom.search.knobs import Choice, Knob
from crossloom.search.space import Space, Values


def encode(space: Space, designs: Iterable[Values]) -> torch.Tensor:
    """Designs [design, feature], float64. Options that are rising numbers count as ordered."""
    rows = [
        [value for name, knob in space.knobs.items() for value in _encode_one(knob, design[name])]
        for design in designs
    ]
    width = sum(_width(knob) for knob in space.knobs.values())
    return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), width)


def _encode_one(knob: Knob, value) -> list[float]:
    if isinstance(knob, Choice) and not _is_ordered(knob):
        # Scaled so that two options are one apart, as the two ends of a number are.
        return [2**-0.5 if option == value else 0.0 for option in knob.options]
    return [knob.to_unit(value)]


def _width(knob: Knob) -> int:
    return len(knob.options) if isinstance(knob, Choice) and not _is_ordered(knob) else 1


def _is_ordered(knob: Choice) -> bool:
    options = knob.options
    if len(options) <= 2:
        return True
    if any(isinstance(option, bool) or not isinstance(option, int | float) for option in options):
        return False
    return list(options) == sorted(options)  # type: ignore
