"""From actions to energies."""

from collections.abc import Mapping

from crossloom.cost.amount import NOTHING, Bounds, add_up
from crossloom.cost.report import COMPONENTS, PartCost
from crossloom.cost.table import Action, ComponentTable, PartSpec
from crossloom.spec import MacroSpec, SystemSpec

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
    counts: Mapping[Action, float], cells: Bounds, system: SystemSpec, table: ComponentTable
) -> dict[str, Bounds]:
    """J of every component for these actions. What the system knows of its links and integrators comes first."""
    found = {
        name: add_up(
            part.energy.bounds.times(counts.get(part.action, 0.0))
            for part in table.parts.values()
            if part.component == name and part.energy and part.action and not _is_replaced(part, system)
        )
        for name in COMPONENTS
    }
    found["cells"] = found["cells"].plus(cells)
    macro, bit = system.macro, system.link.energy_per_bit
    if bit is not None:
        found["link"] = found["link"].plus(Bounds(bit, bit, bit).times(counts.get("link_bit", 0.0)))
    if macro.readout.integrator is not None and not _knows_integrators(table):
        found["integrator"] = found["integrator"].plus(
            _integrator(macro).times(counts.get("column_integration", 0.0))
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
    system: SystemSpec,
    table: ComponentTable,
) -> list[PartCost]:
    """The parts of a layer, one for every component that does anything."""
    energies = energies_of(counts, cells or NOTHING, system, table)
    numbers = {name: sum(counts.get(action, 0.0) for action in _COUNTED.get(name, ())) for name in COMPONENTS}
    numbers["cells"] = num_cells
    return [
        PartCost(layer, name, numbers[name], *energy)
        for name, energy in energies.items()
        if numbers[name] or any(energy)
    ]


def _is_replaced(part: PartSpec, system: SystemSpec) -> bool:
    """Whether the system itself says what this part of a table takes."""
    if part.action == "link_bit":
        return system.link.energy_per_bit is not None
    return part.is_fallback and part.component == "integrator" and system.macro.readout.integrator is not None


def _knows_integrators(table: ComponentTable) -> bool:
    """Whether a table says what integrators take wherever they are."""
    return any(
        part.component == "integrator" and part.energy and not part.is_fallback
        for part in table.parts.values()
    )


def _integrator(macro: MacroSpec) -> Bounds:
    """C V² of a charge integrator that goes to its full scale, which is the most that it can take."""
    integrator = macro.readout.integrator
    assert integrator is not None
    most = integrator.capacitance * integrator.full_scale**2
    return Bounds(most, 0.0, most)
