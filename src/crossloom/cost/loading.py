"""Component tables by name, or from TOML files."""

import tomllib
from importlib.resources import files
from os.path import normpath
from pathlib import Path
from typing import Any

from crossloom.cost.table import ComponentTable
from crossloom.errors import SpecError
from crossloom.registry import did_you_mean

_TABLES = files("crossloom.cost.tables")
_FALLBACK = "generic"


def list_tables() -> list[str]:
    """The names of all tables that ship with crossloom."""
    return sorted(
        item.name.removesuffix(".toml") for item in _TABLES.iterdir() if item.name.endswith(".toml")
    )


def load_table(table: str | Path) -> ComponentTable:
    """A table by name, or a TOML file by path, with what it is based on filled in.

    >>> load_table("isaac").node
    3.2e-08

    Raises SpecError for an unknown name, a file that is no TOML, unknown fields and impossible values.
    """
    return _complete(_read(table), (normpath(table),))


def table_for(system: str) -> ComponentTable:
    """The table of the name of a system; the generic one where there is none."""
    return load_table(system if system in list_tables() else _FALLBACK)


def _complete(fields: dict[str, Any], above: tuple[str, ...]) -> ComponentTable:
    """The table of these fields, the last of `above`, with what it is based on."""
    own = ComponentTable.parse(fields)
    if own.based_on is None:
        return own
    below = _beside(above[-1], own.based_on)
    if below in above:
        raise SpecError(f"{own.name}: based_on goes in a circle: {' -> '.join((*above, below))}")
    base = _complete(_read(below), (*above, below))
    scaled = base.scaled(own.node, own.supply)
    law = f"{base.name}, scaled from {base.node * 1e9:g} to {own.node * 1e9:g} nm"
    sources = {path: f"{law}: {source}" for path, source in base.sources.items()}
    borrowed = sorted({*base.parts, *(["adc"] if own.adc is None and base.adc else [])} - {*own.parts})
    note = f"{own.name} gives no {', '.join(borrowed)}: taken from {law}"
    plain = scaled.model_dump(exclude_none=True)
    return ComponentTable.parse(
        {
            **plain,
            **fields,
            **{name: {**plain[name], **fields.get(name, {})} for name in ("cells", "timing", "parts")},
            "sources": {**sources, **own.sources},
            "notes": (*base.notes, *own.notes, *([note] if borrowed else [])),
        }
    )


def _beside(table: str, other: str) -> str:
    """What a table's `based_on` means: a name, or a file, relative to the table's own."""
    return normpath(Path(table).parent / other) if other.endswith(".toml") else other


def _read(table: str | Path) -> dict[str, Any]:
    name = str(table)
    if not name.endswith(".toml"):
        if name not in list_tables():
            raise SpecError(
                f"no component table is called {name!r}; {did_you_mean(name, list_tables())} (or the path of a "
                "TOML file)"
            )
        return tomllib.loads(_TABLES.joinpath(f"{name}.toml").read_text("utf-8"))
    try:
        return tomllib.loads(Path(name).read_text("utf-8"))
    except FileNotFoundError:
        raise SpecError(
            f"there is no file {name}; give a component table ({', '.join(list_tables())}) or a TOML file"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"{name} cannot be read as TOML: {error}") from None
