"""Cells that do exactly what they are told."""

from dataclasses import dataclass

import torch

from crossloom.devices.delivery import as_new, nominal_change
from crossloom.devices.model import DeviceModel
from crossloom.devices.state import CellState
from crossloom.spec import CellSpec, IdealDeviceSpec


@dataclass(frozen=True)
class IdealDevice(DeviceModel):
    """No error, no noise; every pulse has its nominal effect within the window of conductance."""

    spec: IdealDeviceSpec
    cell: CellSpec

    def deliver(self, shape: tuple[int, int], cells: torch.Generator, chip: torch.Generator) -> CellState:
        return as_new(shape, self.cell, cells.device)

    def set(self, state: CellState, target: torch.Tensor, generator: torch.Generator) -> CellState:
        conductance = target.to(state.conductance, copy=True)
        return state.but(conductance=conductance, age=torch.zeros_like(state.age))

    def pulse(
        self,
        state: CellState,
        widths: torch.Tensor,
        generator: torch.Generator,
        voltages: torch.Tensor | None = None,
    ) -> CellState:
        changed = state.conductance + nominal_change(widths, self.cell, voltages)
        conductance = torch.where(
            widths == 0, state.conductance, changed.clamp(self.cell.g_min, self.cell.g_max)
        )
        return state.but(conductance=conductance, age=state.age.masked_fill(widths != 0, 0.0))

    def read_noise(self, state: CellState) -> None:
        return None

    def relax(self, state: CellState, elapsed: float, generator: torch.Generator) -> CellState:
        return state.but(age=state.age + elapsed)
