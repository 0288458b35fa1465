"""How many there are of everything, what area they take, and what they take only for being on."""

from collections.abc import Mapping

from crossloom.cost.amount import NOTHING, Bounds
from crossloom.cost.clock import columns_per_adc
from crossloom.cost.report import COMPONENTS, AreaCost
from crossloom.cost.table import ComponentTable
from crossloom.spec import SystemSpec


def count_instances(system: SystemSpec, table: ComponentTable, num_chips: int) -> Mapping[str, int]:
    """How many cells, rows, converted columns, converters, macros, cores and chips so many chips have."""
    crossbar, macro = system.macro.crossbar, system.macro
    macros = num_chips * system.macros_per_chip
    columns = crossbar.num_columns // (2 if macro.pairing == "columns" else 1)
    return {
        "cell": macros * crossbar.num_rows * crossbar.num_columns,
        "row": macros * crossbar.num_rows,
        "column": macros * columns,
        "adc": macros * -(-columns // columns_per_adc(macro, table)),
        "macro": macros,
        "core": num_chips * system.chip.num_cores,
        "chip": num_chips,
    }


def areas_of(system: SystemSpec, table: ComponentTable, num_chips: int) -> tuple[AreaCost, ...]:
    """The area of every component; `count` is that of the part there is most of."""
    numbers = count_instances(system, table, num_chips)
    found: dict[str, tuple[int, Bounds]] = {}

    def add(component: str, number: int, area: Bounds | None) -> None:
        if area is not None:
            most, total = found.get(component, (0, NOTHING))
            found[component] = (max(most, number), total.plus(area.times(number)))

    add("cells", numbers["cell"], table.cells.area and table.cells.area.bounds)
    bits = system.macro.readout.bits
    if table.adc is not None and bits is not None:
        add("adc", numbers["adc"], table.adc.area_of(bits))
    for part in table.parts.values():
        add(part.component, numbers[part.per or "chip"], part.area and part.area.bounds)
    return tuple(AreaCost(name, found[name][0], *found[name][1]) for name in COMPONENTS if name in found)


def standing_power(system: SystemSpec, table: ComponentTable, num_chips: int) -> Mapping[str, Bounds]:
    """W of every component, for as long as the chips are on."""
    numbers = count_instances(system, table, num_chips)
    found: dict[str, Bounds] = {}
    for part in table.parts.values():
        if part.power is not None:
            power = part.power.bounds.times(numbers[part.per or "chip"])
            found[part.component] = found.get(part.component, NOTHING).plus(power)
    if table.adc is not None and table.adc.power is not None:
        power = table.adc.power.bounds.times(numbers["adc"])
        found["leakage"] = found.get("leakage", NOTHING).plus(power)
    return found
