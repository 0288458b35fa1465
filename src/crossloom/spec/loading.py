"""Systems from presets and TOML files, with changes from the command line."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from crossloom.errors import SpecError
from crossloom.registry import did_you_mean
from crossloom.spec.system import SystemSpec

_PRESETS = files("crossloom.spec.presets")


def list_systems() -> list[str]:
    """The names of all presets."""
    return sorted(
        item.name.removesuffix(".toml") for item in _PRESETS.iterdir() if item.name.endswith(".toml")
    )


def load_system(system: str | Path, overrides: Mapping[str, Any] | None = None) -> SystemSpec:
    """Load a preset by name, or a TOML file by path, and change single values by their dotted paths.

    >>> load_system("tsinghua_c200").num_chips
    8
    >>> load_system("ideal", {"chip.core.macro.readout.bits": 8}).macro.readout.bits
    8

    Raises SpecError for an unknown name, a file that is no TOML, unknown fields and impossible values.
    """
    fields = _read(system)
    for path, value in (overrides or {}).items():
        _assign(fields, path, value)
    return SystemSpec.parse(fields)


def _read(system: str | Path) -> dict[str, Any]:
    name = str(system)
    if not name.endswith(".toml"):
        if name not in list_systems():
            raise SpecError(f"no system is called {name!r}; {did_you_mean(name, list_systems())}")
        return tomllib.loads(_PRESETS.joinpath(f"{name}.toml").read_text("utf-8"))
    try:
        return tomllib.loads(Path(name).read_text("utf-8"))
    except FileNotFoundError:
        raise SpecError(
            f"there is no file {name}; give a preset ({', '.join(list_systems())}) or a TOML file"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"{name} cannot be read as TOML: {error}") from None


def _assign(fields: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for depth, name in enumerate(parents):
        fields = fields.setdefault(name, {})
        if not isinstance(fields, dict):
            raise SpecError(f"{path}: {'.'.join(parents[: depth + 1])} has no fields of its own")
    fields[last] = value
