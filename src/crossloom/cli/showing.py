"""Systems for people to read, and as TOML."""

import json
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from crossloom.spec import SystemSpec
from crossloom.units import format_si

_UNITS = {
    **dict.fromkeys(("g_min", "g_max", "step", "tolerance", "programming_error", "read_noise"), "S"),
    **dict.fromkeys(("width", "max_width", "settling_time", "cycle_time", "time_step"), "s"),
    **dict.fromkeys(("reference_time", "read_time", "capture_time", "emission_time"), "s"),
    **dict.fromkeys(("read_voltage", "full_scale", "voltage", "max_voltage", "voltage_scale"), "V"),
    "capacitance": "F",
    "bandwidth": "bit/s",
    "energy_per_bit": "J",
}
_SUFFIXES = {
    **dict.fromkeys(("bits", "weight_bits", "activation_bits"), "-bit"),
    **dict.fromkeys(("offset", "comparator_offset", "differential_nonlinearity"), " codes"),
    "level_error": " input steps",
    "max_time": " time steps",
}
_SHARES = (
    "half_select",
    "variation",
    "stuck_low",
    "stuck_high",
    "gain_error",
    "slope_error",
    "capacitor_mismatch",
    "pulse_spread",
)


def describe_system(system: SystemSpec) -> str:
    """Every number with its unit and source, section by section."""
    fields = system.model_dump()
    sources: dict[str, str] = fields.pop("sources")
    heading = f"{fields.pop('name')}: {fields.pop('description')}"
    numbers = {text: number for number, text in enumerate(dict.fromkeys(sources.values()), 1)}
    lines, section = [*textwrap.wrap(heading, _width())], None
    for path, value in _leaves(fields):
        parent, _, name = path.rpartition(".")
        if parent != section:
            section = parent
            lines += ["", parent or "system"]
        source = _source_of(path, sources)
        mark = f"[{numbers[source]}]" if source else ""
        row = f"  {name:<24} {_text(name, value):<34} {mark}"
        lines += textwrap.wrap(row, _width(), subsequent_indent=" " * 27, replace_whitespace=False)
    lines += ["", "sources"]
    for text, number in numbers.items():
        lines += textwrap.wrap(
            f"[{number}] {text}", _width(), initial_indent="  ", subsequent_indent="      "
        )
    return "\n".join(lines) + "\n"


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 110)


def _leaves(fields: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths and values: first those of this section, then those of sections within."""
    inner = {
        name: value
        for name, value in fields.items()
        if isinstance(value, Mapping) and "coefficients" not in value
    }
    for name, value in fields.items():
        if name not in inner:
            yield f"{path}{name}", value
    for name, value in inner.items():
        yield from _leaves(value, f"{path}{name}.")


def _source_of(path: str, sources: Mapping[str, str]) -> str | None:
    """The source of the longest path that this one begins with."""
    fitting = [key for key in sources if path == key or path.startswith(f"{key}.")]
    return sources[max(fitting, key=len)] if fitting else None


def _text(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _polynomial(value, _UNITS.get(name, ""))
    if isinstance(value, list | tuple):
        return ", ".join(_option(item) for item in value)
    if name in _UNITS:
        return format_si(value, _UNITS[name])
    if name in _SHARES:
        return f"{value:.4g} (share)"
    return f"{value:,}{_SUFFIXES.get(name, '')}" if isinstance(value, int | float) else str(value)


def _polynomial(spread: Mapping[str, Any], unit: str) -> str:
    """A standard deviation that depends on the conductance g."""
    terms = [format_si(coefficient, unit) for coefficient in spread["coefficients"]]
    x = f"(g / {format_si(spread['scale'], 'S')})"
    powers = ["", f" {x}", *(f" {x}^{power}" for power in range(2, len(terms)))]
    return " + ".join(f"{term}{power}" for term, power in zip(terms, powers, strict=False)).replace(
        "+ -", "- "
    )


def _option(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    rest = ", ".join(f"{name} {_text(name, value)}" for name, value in item.items() if name != "kind")
    return f"{item['kind']} ({rest})" if rest else str(item["kind"])


def to_toml(system: SystemSpec) -> str:
    """A system as TOML that `load_system` reads back; what is none is left out."""
    return "\n".join(_table(system.model_dump(mode="json"), "")) + "\n"


def _table(fields: Mapping[str, Any], path: str) -> list[str]:
    known = {name: value for name, value in fields.items() if value is not None}
    inner = {name: value for name, value in known.items() if isinstance(value, Mapping)}
    lines = [f"{_key(name)} = {_inline(value)}" for name, value in known.items() if name not in inner]
    for name, value in inner.items():
        lines += ["", f"[{path}{_key(name)}]", *_table(value, f"{path}{_key(name)}.")]
    return lines


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_key(name)} = {_inline(item)}" for name, item in value.items() if item is not None)
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(_inline(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)
