"""Wires of a crossbar: the resistance of what lies between the drivers, the cells and the converters."""

from math import isnan
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, model_validator

from crossloom.errors import CrossloomError, SpecError
from crossloom.spec.base import Spec


class Wires(Spec):
    """Resistances, in ohm; any of them may be zero or infinite.

    word_line, bit_line: of one segment of wire. One segment lies before every cell of a word line, on its
        driver's side, and one behind every cell of a bit line, on its converter's side.
    driver, sense: of the driver of a word line, and of the sensing end of a bit line, beside its last segment.
    far_driver, far_sense: of a second driver, at the other end of every word line and on the same voltage, and of
        a second sensing end, at the other end of every bit line; each with a segment of its own. None leaves
        that end open.

    >>> Wires(1.0, 1.0).word_line
    1.0
    """

    model_config = ConfigDict(allow_inf_nan=True)
    error_type: ClassVar[type[CrossloomError]] = SpecError

    word_line: float = 0.0
    bit_line: float = 0.0
    driver: float = 0.0
    sense: float = 0.0
    far_driver: float | None = None
    far_sense: float | None = None

    def __init__(self, /, *resistances: float, **fields: Any) -> None:
        names = ("word_line", "bit_line", "driver", "sense")
        if len(resistances) > len(names):
            raise SpecError(f"Wires takes {', '.join(names)} without names, got {len(resistances)} numbers")
        twice = set(names[: len(resistances)]) & set(fields)
        if twice:
            raise SpecError(f"Wires: {', '.join(sorted(twice))} given twice, by place and by name")
        super().__init__(**dict(zip(names, resistances, strict=False)), **fields)

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _resistances_are_resistances(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None and (isnan(value) or value < 0):
                raise ValueError(f"need {name} >= 0 ohm, got {value}")
        return self

    @property
    def is_zero(self) -> bool:
        """Whether there is no resistance at all between sources, cells and ground."""
        return not any((self.word_line, self.bit_line, self.driver, self.sense))
