"""A search as a TOML file: model, system, data, knobs, goals, sampler, budget."""

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from crossloom.errors import ConfigError
from crossloom.registry import did_you_mean
from crossloom.spec import Config, SystemSpec, load_system

Way = Literal["maximise", "minimise"]
Count = Annotated[int, Field(ge=1)]

GOALS: dict[str, Way] = {
    "accuracy": "maximise",
    "agreement": "maximise",
    "energy": "minimise",
    "latency": "minimise",
    "interval": "minimise",
    "power": "minimise",
    "area": "minimise",
    "operations_per_second": "maximise",
    "operations_per_joule": "maximise",
    "operations_per_area": "maximise",
    "num_macros": "minimise",
    "utilization": "maximise",
}
"""What a search may seek, and which way; all but the first two and the last two are of `crossloom cost`."""

_NOT_SETTINGS = {"knobs", "name", "sampler", "budget", "workers", "executor", "store"}
_DIGESTS = "digests"
_HEADS = ("system", "quant", "mapping", "placement")
_OF_KNOBS = frozenset(("kind", "low", "high", "log", "step", "options"))


class SweepFile(Config):
    """What is searched, and how each point is judged.

    knobs: `system.…`, `quant.…`, `mapping.…` or `placement.…` paths, each with a list of options or a table of
        `low` and `high` (and `log`, `step`).  fixed: the same paths with the values that hold for every point.
    goals: names, or a table of names and `maximise` or `minimise`.
    samples: to calibrate on.  images: to answer at full fidelity.  chips: simulated sets of chips for each point; their
        spread gives the error bars.  seed: of the first of them, and of the search.
    sampler: a kind, or a table of `kind` and its choices.  budget: `points`, `seconds` or `cost`.
    """

    model: str
    system: str
    knobs: dict[str, Any] = Field(default_factory=dict)
    goals: Annotated[dict[str, Way], Field(min_length=1)] = Field(
        default_factory=lambda: {"accuracy": "maximise"}
    )
    fixed: dict[str, Any] = Field(default_factory=dict)
    name: str = ""
    data: str | None = None
    split: Literal["train", "test"] = "test"
    normalize: str | None = None
    samples: Count = 128
    images: Count = 256
    chips: Count = 1
    table: str | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    sampler: dict[str, Any] = Field(default_factory=lambda: {"kind": "sobol"})
    budget: dict[str, Any] = Field(default_factory=lambda: {"points": 32})
    workers: Count = 1
    executor: Literal["in_process", "processes", "ray"] | None = None
    store: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, fields: Any) -> Any:
        """Names alone for goals and sampler, and paths that TOML took for nested tables."""
        if not isinstance(fields, Mapping):
            return fields
        given = dict(fields)
        if isinstance(given.get("goals"), list | tuple):
            given["goals"] = {str(name): GOALS.get(str(name), "maximise") for name in given["goals"]}
        if isinstance(given.get("sampler"), str):
            given["sampler"] = {"kind": given["sampler"]}
        for key in ("knobs", "fixed"):
            if isinstance(given.get(key), Mapping):
                given[key] = dict(_flat(given[key]))
        return given

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for path in (*self.knobs, *self.fixed):
            head, _, rest = path.partition(".")
            if head not in _HEADS or not rest:
                raise ValueError(
                    f"knob {path}: need a path that begins with system., quant., mapping. or placement."
                )
        if both := sorted(self.knobs.keys() & self.fixed.keys()):
            raise ValueError(f"{both[0]} is both a knob and fixed; leave it out of one of them")
        for goal in self.goals:
            if goal not in GOALS:
                raise ValueError(f"goal {goal}: {did_you_mean(goal, list(GOALS))}")
        return self

    def settings(self) -> str:
        """All that a point's figures depend on besides its values, as JSON: a store tells searches apart by it.

        Files of model, system and table count by what they hold, data by its name alone.
        """
        fields = self.model_dump(mode="json", exclude=_NOT_SETTINGS, exclude_defaults=True)
        paths = [Path(text) for text in (self.model, self.system, self.table) if text]
        digests = {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in paths if path.is_file()
        }
        return json.dumps(fields | ({_DIGESTS: digests} if digests else {}))

    @classmethod
    def of_settings(cls, settings: str) -> Self:
        """The file again, as far as figures depend on it."""
        return cls.parse({name: value for name, value in json.loads(settings).items() if name != _DIGESTS})

    def make_system(self, values: Mapping[str, Any]) -> SystemSpec:
        """The system with what is fixed and with these knobs. SpecError when that cannot be."""
        return load_system(self.system, self._under("system", values))

    def config_fields(self, head: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Fields of a configuration, nested as it is."""
        nested: dict[str, Any] = {}
        for path, value in sorted(self._under(head, values).items(), key=lambda item: item[0].count(".")):
            *parents, last = path.split(".")
            fields = nested
            for parent in parents:
                inner = fields.get(parent)
                fields[parent] = (
                    dict(inner) if isinstance(inner, Mapping) else {"kind": inner} if inner else {}
                )
                fields = fields[parent]
            fields[last] = value
        return nested

    def _under(self, head: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the paths that begin with `head`, by the rest of the path."""
        given = {**self.fixed, **values}
        return {
            path.removeprefix(f"{head}."): value
            for path, value in given.items()
            if path.startswith(f"{head}.")
        }


def read_sweep(path: Path) -> SweepFile:
    """The search that a TOML file describes; it is called like the file unless it has a name.

    Raises ConfigError when there is no such file, it is no TOML, or says what cannot be.
    """
    try:
        fields = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}; see `crossloom sweep --help` for an example") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from None
    try:
        file = SweepFile.parse({"name": path.stem, **fields})
    except ConfigError as error:
        raise ConfigError(f"{path}: {str(error).removeprefix('SweepFile: ')}") from None
    if not file.knobs:
        raise ConfigError(f"{path}: there is nothing to search; give a table [knobs]")
    return file


def _flat(fields: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths: `a.b = 1` and `"a.b" = 1` mean the same; a table of a knob stays whole."""
    for name, value in fields.items():
        if isinstance(value, Mapping) and not _OF_KNOBS & value.keys():
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
