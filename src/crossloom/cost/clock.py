"""How long an MVM takes on a macro, and what it repeats."""

from dataclasses import dataclass

import torch

from crossloom.circuits import cycle_weights
from crossloom.cost.table import ComponentTable
from crossloom.hardware import InputFormat
from crossloom.spec import BitSerial, MacroSpec, MultiLevel


@dataclass(frozen=True)
class Clock:
    """One kind of input on one kind of macro.

    num_cycles: input cycles of an MVM, as a run counts them.  num_integrations: how often rows are driven, where heavy
    cycles are repeated.  num_conversions: of each column.  largest_step: the most input steps that a pulse carries.
    """

    macro: MacroSpec
    table: ComponentTable
    num_cycles: int
    num_integrations: int
    num_conversions: int
    largest_step: int

    @property
    def volt_per_step(self) -> float | None:
        """V of one input step; None where no voltage is known."""
        largest = self.table.cells.read_voltage
        return self.macro.dac.read_voltage or (None if largest is None else largest / self.largest_step)

    def read_time(self, integration_time: float) -> float:
        """Seconds of one integration, `integration_time` being the readout's register; 0 where it is not known."""
        integrator = self.macro.readout.integrator
        if integrator is not None:
            return integration_time * integrator.time_step
        return self.macro.dac.cycle_time or self.table.timing.read_time or 0.0

    def conversion_time(self, num_converted: int) -> float:
        """Seconds to convert so many columns once."""
        bits, adc = self.macro.readout.bits, self.table.adc
        if bits is None or adc is None:
            return 0.0
        return min(num_converted, columns_per_adc(self.macro, self.table)) * adc.time(bits)

    def mvm_time(self, integration_time: float, num_converted: int) -> float:
        """Seconds of one MVM of a tile with so many converted columns."""
        reading = self.num_integrations * self.read_time(integration_time)
        timing = self.table.timing
        converting = self.num_conversions * (self.conversion_time(num_converted) + timing.cycle_overhead)
        return max(reading, converting) if timing.overlaps else reading + converting


def make_clock(macro: MacroSpec, table: ComponentTable, inputs: InputFormat) -> Clock:
    """The clock of inputs of this format."""
    num_cycles = max(inputs.num_cycles(macro.dac), 1)
    together = table.timing.cycles_per_conversion
    groups = -(-num_cycles // together)
    repeated = _integrations(macro, inputs, together, num_cycles)
    return Clock(macro, table, num_cycles, repeated, groups, _largest_step(inputs))


def columns_per_adc(macro: MacroSpec, table: ComponentTable) -> int:
    """Columns that take turns at one converter."""
    return macro.readout.columns_per_adc or (table.adc and table.adc.columns_per_adc) or 1


def _largest_step(inputs: InputFormat) -> int:
    if isinstance(inputs.mode, MultiLevel):
        return max(inputs.largest, 1)
    return 2**inputs.mode.bits_per_pulse - 1 if isinstance(inputs.mode, BitSerial) else 1


def _integrations(macro: MacroSpec, inputs: InputFormat, together: int, num_cycles: int) -> int:
    """Cycles that are added up as charge repeat, each as often as it counts more than the lightest of its group."""
    if together == 1 or not isinstance(inputs.mode, BitSerial) or inputs.num_cycles(macro.dac) < 1:
        return num_cycles
    weights = cycle_weights(inputs, macro.dac).abs()
    return int(sum((group / group.min()).sum().item() for group in torch.split(weights, together)))
