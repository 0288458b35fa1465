"""From the tables of a search's file to its space and its sampler."""

from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from crossloom.cli.sweep_file import SweepFile
from crossloom.errors import ConfigError
from crossloom.registry import did_you_mean
from crossloom.search import SAMPLERS, Sampler, Space


def make_space(file: SweepFile) -> Space:
    """The knobs of a file. SearchError for knobs that cannot be, by their names."""
    return Space.parse({"knobs": {path: _as_knob(knob) for path, knob in file.knobs.items()}})


def _as_knob(given: Any) -> Any:
    """A list is a choice; a table with whole ends an integer, with others a real number."""
    if isinstance(given, list):
        return {"kind": "choice", "options": given}
    if not isinstance(given, dict) or "kind" in given:
        return given
    if "options" in given:
        return {"kind": "choice", **given}
    ends = [given.get(name) for name in ("low", "high", "step")]
    is_whole = all(end is None or (isinstance(end, int) and not isinstance(end, bool)) for end in ends)
    return {"kind": "int" if is_whole else "float", **given}


def make_sampler(given: dict[str, Any]) -> Sampler:
    """The sampler of a table of `kind` and its choices. ConfigError for choices that it does not have."""
    choices = {name: value for name, value in given.items() if name != "kind"}
    if not isinstance(given.get("kind"), str):
        raise ConfigError(f"sampler: kind is missing; known: {', '.join(SAMPLERS.names())}")
    kind = SAMPLERS[given["kind"]]
    known = [field for field in getattr(kind, "__dataclass_fields__", {}) if not field.startswith("_")]
    for name in choices:
        if name not in known:
            raise ConfigError(f"sampler.{name} is no choice of {given['kind']}; {did_you_mean(name, known)}")
    types = get_type_hints(kind)
    return kind(**{name: _as_typed(name, value, types[name]) for name, value in choices.items()})


def _as_typed(name: str, value: Any, wanted: Any) -> Any:
    """A choice as the sampler has it: TOML's lists become tuples. ConfigError for what is of another type."""
    try:
        return TypeAdapter(wanted).validate_python(value)
    except ValidationError as error:
        raise ConfigError(f"sampler.{name}: {error.errors()[0]['msg']}, got {value!r}") from None
