"""What reading does to cells: stress gathers while a macro multiplies, and shows when next something happens to it.

A run therefore meets the same cells from its first sample to its last, however it is cut into batches.
"""

from dataclasses import dataclass

import torch

from crossloom.backends.macro_state import MacroState
from crossloom.devices import Delivered, DeviceModel, Disturbed
from crossloom.errors import BackendError
from crossloom.hardware import Codes, MvmCommand
from crossloom.spec import DacSpec, MultiLevel, SystemSpec


@dataclass(frozen=True)
class ReadStress:
    """How long, and at how many volt, an MVM stresses the cells of its region.

    All rows count as driven for all cycles, at the highest voltage of the input mode: the most that it can be.
    """

    model: Disturbed
    dac: DacSpec

    def after(self, state: MacroState, command: MvmCommand, codes: Codes) -> MacroState:
        """The macro after it has multiplied these codes with a region."""
        assert self.dac.cycle_time is not None
        elapsed = codes.num_vectors * command.inputs.num_cycles(self.dac) * self.dac.cycle_time
        return state.stressed(command.region, self._voltage(command), elapsed)

    def shown(self, state: MacroState) -> MacroState:
        """The macro with its cells as the stress has left them."""
        cells = state.cells
        for region, voltage, elapsed in state.stress:
            block = cells.block(region.row, region.column, region.num_rows, region.num_columns)
            block = self.model.disturb(block, voltage, elapsed)
            cells = cells.with_block(region.row, region.column, block)
        return state.rested(cells) if state.stress else state

    def _voltage(self, command: MvmCommand) -> float:
        assert self.dac.read_voltage is not None
        is_whole = isinstance(command.inputs.mode, MultiLevel)
        voltage = self.dac.read_voltage if command.read_voltage is None else command.read_voltage
        return voltage * (command.inputs.largest if is_whole else 1)


def read_stress(spec: SystemSpec, model: DeviceModel) -> ReadStress | None:
    """None where reads disturb nothing. BackendError where they do, but not how long and strong they are."""
    if not (isinstance(model, Disturbed) and isinstance(model, Delivered)):
        return None
    cell = model.deliver((1, 1), torch.Generator(), torch.Generator())
    if model.disturb(cell, 1.0, 1.0) is cell:
        return None
    dac = spec.macro.dac
    if dac.read_voltage is None or dac.cycle_time is None:
        raise BackendError(
            f"cells of {spec.name} are disturbed by reads; give dac.read_voltage and dac.cycle_time"
        )
    return ReadStress(model, dac)
