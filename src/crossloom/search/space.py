"""The design space: named knobs, and points in it."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from math import inf, prod
from typing import Any, Self

from pydantic import model_validator

from crossloom.artefacts import saved
from crossloom.errors import SearchError
from crossloom.registry import did_you_mean
from crossloom.search.knobs import Knob, Value
from crossloom.spec import Config

Values = Mapping[str, Any]
_MOST_ON_AXIS = 1_000_000


@saved
class Space(Config):
    """Knobs by name; a point of the space is a value for each.

    >>> from crossloom.search import Choice, Int
    >>> space = Space({"bits": Int(4, 8), "encoding": Choice(["pair", "offset"])})
    >>> space.size
    10
    >>> space.key({"encoding": "pair", "bits": 6})
    '{"bits":6,"encoding":"pair"}'
    """

    error_type = SearchError
    knobs: dict[str, Knob]

    def __init__(self, knobs: Mapping[str, Knob], **fields: Any) -> None:
        super().__init__(**(fields | {"knobs": dict(knobs) if isinstance(knobs, Mapping) else knobs}))

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.knobs:
            raise ValueError("a space wants at least one knob, got none")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The knobs' names, in the order in which they were given."""
        return tuple(self.knobs)

    @property
    def size(self) -> int | None:
        """How many points there are; None when a knob is continuous."""
        sizes = [knob.size for knob in self.knobs.values()]
        return None if None in sizes else prod(size for size in sizes if size is not None)

    def check(self, values: Values) -> dict[str, Value]:
        """The values in the knobs' order and types.

        Raises SearchError for knobs that do not exist (with the nearest names), are missing, or cannot be set so.
        """
        self.check_names(values)
        missing = [name for name in self.knobs if name not in values]
        if missing:
            raise SearchError(f"wants a value for every knob; {', '.join(missing)} missing")
        return {name: self._check_one(name, values[name]) for name in self.knobs}

    def check_names(self, names: Any) -> None:
        """SearchError when one of `names` is no knob of this space."""
        for name in names:
            if name not in self.knobs:
                raise SearchError(f"there is no knob {name!r}; {did_you_mean(str(name), list(self.knobs))}")

    def key(self, values: Values) -> str:
        """One text for one point: canonical JSON of checked values."""
        return json.dumps(self.check(values), sort_keys=True, separators=(",", ":"), allow_nan=False)

    def to_unit(self, values: Values) -> list[float]:
        """The point in the unit cube, in the knobs' order; a finite knob's value is the middle of its share."""
        return [knob.to_unit(values[name]) for name, knob in self.knobs.items()]

    def from_unit(self, shares: Any) -> dict[str, Value]:
        """The point at a place in the unit cube."""
        pairs = zip(self.knobs.items(), shares, strict=True)
        return {name: knob.from_unit(float(share)) for (name, knob), share in pairs}

    def axes(self, resolution: int | Mapping[str, int] | None = None) -> dict[str, list[Value]]:
        """The values of every knob on a grid.

        resolution: values per knob, or per named knob; None for all values of finite knobs.
        Raises SearchError for a continuum without a resolution, or an unknown knob.
        """
        if isinstance(resolution, Mapping):
            self.check_names(resolution)
            return {name: self._axis(name, resolution.get(name)) for name in self.knobs}
        return {name: self._axis(name, resolution) for name in self.knobs}

    def grid(self, resolution: int | Mapping[str, int] | None = None) -> Iterator[dict[str, Value]]:
        """All points of a grid, the last knob changing fastest; resolution and errors as for `axes`."""
        axes = self.axes(resolution)
        return (dict(zip(axes, point, strict=True)) for point in product(*axes.values()))

    def _axis(self, name: str, resolution: int | None) -> list[Value]:
        if resolution is not None and resolution < 1:
            raise SearchError(f"a grid wants a resolution of at least 1, got {resolution} for {name}")
        num = min(size for size in (self.knobs[name].size, resolution, inf) if size is not None)
        if _MOST_ON_AXIS < num < inf:
            raise SearchError(
                f"a grid of {num:,} values of {name} is too large; use Grid(resolution=5), a step, or another sampler"
            )
        try:
            return list(self.knobs[name].grid(resolution))
        except SearchError as error:
            raise SearchError(f"{name}: {error}") from None

    def _check_one(self, name: str, value: Any) -> Value:
        try:
            return self.knobs[name].check(value)
        except ValueError as error:
            raise SearchError(f"{name} {error}") from None
