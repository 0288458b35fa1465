"""From actions to energies."""

from collections.abc import Mapping

from crossloom.cost.amount import NOTHING, Bounds, add_up
from crossloom.cost.report import PartCost
from crossloom.cost.table import Action, ComponentTable
from crossloom.spec import MacroSpec

_COUNTED: Mapping[str, tuple[Action, ...]] = {
    "dac": ("drive",),
    "integrator": ("column_integration",),
    "adc": ("conversion",),
    "shift_and_add": ("conversion",),
    "buffer": ("input_bit", "output_bit"),
    "link": ("link_bit",),
    "digital": ("operation",),
}


def energies_of(
    counts: Mapping[Action, float], cells: Bounds, macro: MacroSpec, table: ComponentTable
) -> dict[str, Bounds]:
    """J of every component for these actions."""
    found = {"cells": cells}
    for component in _COUNTED:
        parts = [part for part in table.parts.values() if part.component == component and part.energy]
        if component == "integrator" and macro.readout.integrator is not None:
            found[component] = _integrator(macro).times(counts.get("column_integration", 0.0))
            continue
        found[component] = add_up(
            part.energy.bounds.times(counts.get(part.action, 0.0))
            for part in parts
            if part.energy and part.action
        )
    if table.adc is not None and macro.readout.bits is not None:
        conversions = table.adc.energy(macro.readout.bits).times(counts.get("conversion", 0.0))
        found["adc"] = found["adc"].plus(conversions)
    return found


def parts_of(
    layer: str,
    counts: Mapping[Action, float],
    num_cells: float,
    cells: Bounds | None,
    macro: MacroSpec,
    table: ComponentTable,
) -> list[PartCost]:
    """The parts of a layer, one for every component that does anything."""
    energies = energies_of(counts, cells or NOTHING, macro, table)
    numbers = {name: sum(counts.get(action, 0.0) for action in actions) for name, actions in _COUNTED.items()}
    numbers["cells"] = num_cells
    return [
        PartCost(layer, name, numbers[name], *energy)
        for name, energy in energies.items()
        if numbers[name] or any(energy)
    ]


def _integrator(macro: MacroSpec) -> Bounds:
    """C V² of a charge integrator that goes to its full scale, which is the most that it can take."""
    integrator = macro.readout.integrator
    assert integrator is not None
    most = integrator.capacitance * integrator.full_scale**2
    return Bounds(most, 0.0, most)
