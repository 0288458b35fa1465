"""Registers of single layers as knobs: which values they hold, and chips with others in them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from crossloom.errors import SearchError
from crossloom.programming import LayerCorrection, ProgrammedChips, TileCorrection
from crossloom.search import Choice, Float, Knob
from crossloom.search.tuning.scoring import with_layers
from crossloom.spec import SystemSpec

REGISTERS = ("integration_time", "read_voltage")


def check_voltages_are_known(system: SystemSpec) -> None:
    """SearchError for a system whose read voltage is not published, so that no other one means anything."""
    if system.macro.dac.read_voltage is None:
        raise SearchError(
            f"read_voltage: {system.name} does not say at how many volt it reads; give dac.read_voltage"
        )


def check_register(name: str, knob: Knob, system: SystemSpec) -> None:
    """SearchError when the knob has values that the register of this name cannot hold; None in a choice is its own."""
    options = knob.options if isinstance(knob, Choice) else (knob.low, knob.high)
    values = [value for value in options if isinstance(value, int | float)]
    if any(value <= 0 for value in values) or len(values) + options.count(None) < len(options):
        raise SearchError(f"{name}: need positive numbers, got {_shown(options)}")
    if name.endswith(REGISTERS[1]):
        return check_voltages_are_known(system)
    limit = system.macro.readout.max_time
    if limit is None:
        return None
    is_whole = not isinstance(knob, Float) and all(float(value).is_integer() for value in values)
    if not is_whole or max(values, default=1) > limit:
        raise SearchError(
            f"{name}: the register of {system.name} holds integers 1...{limit}, got {_shown(options)}; use Int"
        )
    return None


def with_registers(chips: ProgrammedChips, values: Mapping[str, Any]) -> ProgrammedChips:
    """The chips with these values, by `layers.<layer>.<register>`, in all tiles of a layer."""
    mapped = chips.placement.mapped
    found = {} if chips.corrections is None else dict(chips.corrections.layers)
    for layer in mapped.schemes:
        start = f"layers.{layer}."
        changes = {name: values[start + name] for name in REGISTERS if start + name in values}
        if not changes:
            continue
        present = found.get(layer, LayerCorrection())
        tiles = {
            number: replace(present.tiles.get(number, TileCorrection()), **changes)
            for number in chips.placement.numbers_of(layer)
        }
        found[layer] = replace(present, tiles=tiles)
    return with_layers(chips, found)


def _shown(values: tuple[Any, ...]) -> str:
    return ", ".join(map(repr, values))
