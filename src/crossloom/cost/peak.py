"""What a system can do at best: every macro at work, all cells in use."""

from math import log2

from crossloom.cost.amount import NOTHING, Bounds
from crossloom.cost.clock import Clock, make_clock
from crossloom.cost.energies import energies_of
from crossloom.cost.instances import areas_of, standing_power
from crossloom.cost.report import Peak
from crossloom.cost.table import Action, ComponentTable
from crossloom.hardware import InputFormat
from crossloom.spec import MacroSpec, SystemSpec


def peak(
    system: SystemSpec,
    table: ComponentTable,
    *,
    weight_bits: int | None = None,
    input_bits: int | None = None,
    output_bits: int | None = None,
    integration_time: float = 1.0,
) -> Peak:
    """Every macro of every chip multiplies all the time: each row driven to the full in every cycle, each column
    converted.

    A weight takes as few cells as hold its bits: reference columns are not counted. Cells are half-way between their
    ends on average, of a pair one is, and the other is at the lowest. None takes the bits of the system.
    """
    macro = system.macro
    if output_bits is not None:
        macro = macro.replace(readout=macro.readout.replace(bits=output_bits))
        system = system.with_macro(macro)
    precision = system.precision
    bits = input_bits or precision.activation_bits
    is_signed = bool(precision.activations_are_signed) and bits > 1
    clock = make_clock(macro, table, InputFormat(macro.input_modes[0], bits, is_signed))
    num_inputs, num_outputs = _matrix(macro, weight_bits or precision.weight_bits)
    seconds = clock.mvm_time(integration_time, _converted(macro))
    rate = system.num_macros / seconds if seconds else 0.0
    energy = _mvm_energy(system, table, clock, integration_time, (num_inputs * bits, num_outputs))
    standing = sum(power.typical for power in standing_power(system, table, system.num_chips).values())
    area = sum(item.area for item in areas_of(system, table, system.num_chips))
    return Peak(2 * num_inputs * num_outputs * rate, energy * rate + standing, area)


def _matrix(macro: MacroSpec, weight_bits: int) -> tuple[int, int]:
    """Inputs and outputs of the largest matrix that a macro holds."""
    is_paired, levels = macro.pairing != "none", macro.cell.num_levels
    bits = weight_bits - is_paired
    slices = 1 if levels is None else -(-bits // int(log2(levels)))
    columns = slices * (2 if macro.pairing == "columns" else 1)
    rows = 2 if macro.pairing == "rows" else 1
    return macro.crossbar.num_rows // rows, macro.crossbar.num_columns // columns


def _converted(macro: MacroSpec) -> int:
    return macro.crossbar.num_columns // (2 if macro.pairing == "columns" else 1)


def _mvm_energy(
    system: SystemSpec, table: ComponentTable, clock: Clock, integration_time: float, moved: tuple[int, int]
) -> float:
    """J of one MVM that uses a whole macro. `moved`: bits that go in, sums that come out."""
    macro = system.macro
    rows, columns = macro.crossbar.num_rows, _converted(macro)
    counts: dict[Action, float] = {
        "drive": rows * clock.num_integrations,
        "row_integration": rows * clock.num_integrations,
        "column_integration": columns * clock.num_integrations,
        "conversion": columns * clock.num_conversions,
        "cycle": clock.num_cycles,
        "mvm": 1,
        "input_bit": moved[0],
        "output_bit": 32 * moved[1],
        "operation": 3 * moved[1],
    }
    cells = _cells(macro, table, clock, integration_time)
    return sum(part.typical for part in energies_of(counts, cells, system, table).values())


def _cells(macro: MacroSpec, table: ComponentTable, clock: Clock, integration_time: float) -> Bounds:
    driven = macro.crossbar.num_rows * macro.crossbar.num_columns * clock.num_integrations
    if table.cells.read_energy is not None:
        return table.cells.read_energy.bounds.times(driven)
    if clock.volt_per_step is None:
        return NOTHING
    volt = clock.volt_per_step * clock.largest_step
    low, middle = macro.cell.g_min, (macro.cell.g_min + macro.cell.g_max) / 2
    conductance = middle if macro.pairing == "none" else (low + middle) / 2
    return Bounds(*[volt**2 * conductance * clock.read_time(integration_time) * driven] * 3)
