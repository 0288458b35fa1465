"""What can be turned: a real number, an integer, or one of several options."""

from collections.abc import Sequence
from math import exp, isclose, log
from numbers import Real
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from crossloom.artefacts import saved
from crossloom.errors import SearchError
from crossloom.spec import Config

_MOST_STEPS = 2.0**53  # beyond it, not every step is a number of its own
Value = bool | int | float | str | None


@saved
class Float(Config):
    """A real number from `low` to `high`, both included; even in its logarithm with `log`, in steps with `step`."""

    error_type = SearchError
    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __init__(
        self, low: float, high: float, log: bool = False, step: float | None = None, **fields: Any
    ) -> None:
        super().__init__(**(fields | {"low": low, "high": high, "log": log, "step": step}))

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.low, self.high, self.log)
        if self.step is None:
            return self
        if self.log:
            raise ValueError("log and step exclude each other; leave one out")
        _check_step(self.low, self.high, self.step)
        return self

    @property
    def size(self) -> int | None:
        """How many values there are; None for a continuum."""
        if self.low == self.high:
            return 1
        return None if self.step is None else round((self.high - self.low) / self.step) + 1

    def check(self, value: Any) -> float:
        """The value as a float; ValueError when it is none of this knob's."""
        if not _is_number(value):
            raise ValueError(f"wants a number, got {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(f"wants {self.low:g} to {self.high:g}, got {value!r}")
        if self.step is None:
            return float(value)
        index = round((value - self.low) / self.step)
        if not isclose(self._at(index), value, rel_tol=1e-9, abs_tol=1e-9 * self.step):
            raise ValueError(f"wants steps of {self.step:g} from {self.low:g}, got {value!r}")
        return self._at(index)

    def to_unit(self, value: float) -> float:
        """Where the value lies in [0, 1]; with steps, the middle of its share."""
        if self.size is not None:
            return (self._index(value) + 0.5) / self.size
        if self.log:
            return log(value / self.low) / log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def from_unit(self, share: float) -> float:
        """The value at a place in [0, 1]."""
        if self.size is not None:
            return self._at(_bin(share, self.size))
        if not 0.0 < share < 1.0:
            return self.low if share <= 0.0 else self.high
        low, high = (log(self.low), log(self.high)) if self.log else (self.low, self.high)
        value = low + share * (high - low)
        return min(max(exp(value) if self.log else value, self.low), self.high)

    def grid(self, resolution: int | None) -> list[float]:
        """Values evenly over the range, ends included. SearchError for a continuum without a resolution."""
        if self.size is not None:
            return [self._at(index) for index in _thin(self.size, resolution)]
        if resolution is None:
            raise SearchError(
                "a grid over a continuous knob needs a resolution: Grid(resolution=5), or a step"
            )
        places = [0.5] if resolution == 1 else [index / (resolution - 1) for index in range(resolution)]
        return [self.from_unit(place) for place in places]

    def _index(self, value: float) -> int:
        return 0 if self.step is None else round((value - self.low) / self.step)

    def _at(self, index: int) -> float:
        return min(self.low + index * (self.step or 0.0), self.high)


@saved
class Int(Config):
    """An integer from `low` to `high`, both included; in steps of `step`, or even in its logarithm with `log`."""

    error_type = SearchError
    kind: Literal["int"] = "int"
    low: int
    high: int
    log: bool = False
    step: int = 1

    def __init__(self, low: int, high: int, log: bool = False, step: int = 1, **fields: Any) -> None:
        super().__init__(**(fields | {"low": low, "high": high, "log": log, "step": step}))

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.low, self.high, self.log)
        if self.log and self.step != 1:
            raise ValueError("log and step exclude each other; leave one out")
        _check_step(self.low, self.high, self.step)
        return self

    @property
    def size(self) -> int:
        """How many values there are."""
        return (self.high - self.low) // self.step + 1

    def check(self, value: Any) -> int:
        """The value as an int; ValueError when it is none of this knob's."""
        if not _is_number(value) or value % 1 != 0:
            raise ValueError(f"wants an integer, got {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(f"wants {self.low} to {self.high}, got {value!r}")
        if (int(value) - self.low) % self.step:
            raise ValueError(f"wants steps of {self.step} from {self.low}, got {value!r}")
        return int(value)

    def to_unit(self, value: int) -> float:
        """The middle of the value's share of [0, 1]."""
        if not self.log:
            return ((value - self.low) // self.step + 0.5) / self.size
        edges = (log(edge / (self.low - 0.5)) for edge in (value - 0.5, value + 0.5, self.high + 0.5))
        left, right, whole = edges
        return (left + right) / (2 * whole)

    def from_unit(self, share: float) -> int:
        """The value whose share of [0, 1] this is."""
        if not self.log:
            return self.low + self.step * _bin(share, self.size)
        low, high = self.low - 0.5, self.high + 0.5
        value = low * exp(min(max(share, 0.0), 1.0) * log(high / low))
        return min(max(int(value + 0.5), self.low), self.high)

    def grid(self, resolution: int | None) -> list[int]:
        """All values, or as many as the resolution asks for, ends included."""
        if resolution is None or not self.log:
            return [self.low + self.step * index for index in _thin(self.size, resolution)]
        ratio = self.high / self.low
        places = [index / max(resolution - 1, 1) for index in range(resolution)]
        return sorted({round(self.low * ratio**place) for place in places})


@saved
class Choice(Config):
    """One of several options: numbers, names, True, False or None, in no order."""

    error_type = SearchError
    kind: Literal["choice"] = "choice"
    options: tuple[Value, ...]

    def __init__(self, options: Sequence[Value], **fields: Any) -> None:
        options = options if isinstance(options, str) else tuple(options)  # a lone string is refused below
        super().__init__(**(fields | {"options": options}))

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.options:
            raise ValueError("wants at least one option")
        doubles = [option for index, option in enumerate(self.options) if option in self.options[:index]]
        if doubles:
            raise ValueError(f"{doubles[0]!r} comes twice; keep one of them")
        return self

    @property
    def size(self) -> int:
        """How many options there are."""
        return len(self.options)

    def check(self, value: Any) -> Value:
        """The option that equals `value`; ValueError when there is none."""
        if isinstance(value, list | dict | set) or value not in self.options:
            raise ValueError(f"wants one of {', '.join(map(repr, self.options))}, got {value!r}")
        return self.options[self.options.index(value)]

    def to_unit(self, value: Value) -> float:
        """The middle of the option's share of [0, 1]."""
        return (self.options.index(value) + 0.5) / self.size

    def from_unit(self, share: float) -> Value:
        """The option whose share of [0, 1] this is."""
        return self.options[_bin(share, self.size)]

    def grid(self, resolution: int | None) -> list[Value]:
        """All options: a resolution says nothing about what has no order."""
        return list(self.options)


Knob = Annotated[Float | Int | Choice, Field(discriminator="kind")]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check_range(low: float, high: float, is_log: bool) -> None:
    if low > high:
        raise ValueError(f"wants low <= high, got {low:g} and {high:g}; swap them")
    if is_log and low <= 0:
        raise ValueError(f"a logarithm wants low > 0, got {low:g}")


def _check_step(low: float, high: float, step: float) -> None:
    if step <= 0:
        raise ValueError(f"wants step > 0, got {step:g}")
    num_steps = (high - low) / step
    if num_steps > _MOST_STEPS:
        raise ValueError(
            f"steps of {step:g} are more than {_MOST_STEPS:.0e} from {low:g} to {high:g}; leave step out"
        )
    if not isclose(num_steps, round(num_steps), abs_tol=1e-9 * max(1.0, num_steps)):
        nearest = low + int(num_steps) * step
        raise ValueError(
            f"steps of {step:g} do not lead from {low:g} to {high:g}; use high={nearest:g} or another step"
        )


def _bin(share: float, size: int) -> int:
    return min(max(int(share * size), 0), size - 1)


def _thin(size: int, resolution: int | None) -> list[int]:
    """Indices of at most `resolution` of `size` values, evenly, ends included."""
    num = size if resolution is None else min(size, resolution)
    if num == 1:
        return [(size - 1) // 2] if size > 1 else [0]
    return sorted({round(index * (size - 1) / (num - 1)) for index in range(num)})
