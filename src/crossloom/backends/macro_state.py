"""The state of one simulated macro: its cells, its converters, and how many events it has seen."""

from dataclasses import dataclass

import torch

from crossloom.artefacts import saved
from crossloom.devices import CellState, Delivered, DeviceModel, as_new
from crossloom.seeds import derive_generator
from crossloom.spec import MacroAddress, SystemSpec


@saved
@dataclass(frozen=True)
class MacroState:
    """offset: [column], codes.  gain: [column], relative to nominal.  num_events: writes and reads so far."""

    cells: CellState
    offset: torch.Tensor | None
    gain: torch.Tensor | None
    num_events: int = 0

    def with_cells(self, cells: CellState) -> "MacroState":
        """After an event that changed the cells."""
        return MacroState(cells, self.offset, self.gain, self.num_events + 1)

    def to(self, device: torch.device | str) -> "MacroState":
        """The same state on another torch device."""
        offset = None if self.offset is None else self.offset.to(device)
        gain = None if self.gain is None else self.gain.to(device)
        return MacroState(self.cells.to(device), offset, gain, self.num_events)


def deliver_macro(
    spec: SystemSpec, model: DeviceModel, address: MacroAddress, seed: int, device: torch.device
) -> MacroState:
    """A macro as it comes from the factory: variation and faults are drawn here, once."""
    crossbar, readout = spec.macro.crossbar, spec.macro.readout
    shape = (crossbar.num_rows, crossbar.num_columns)
    if isinstance(model, Delivered):
        cells = derive_generator(seed, *address, "cells", device=device)
        cell_state = model.deliver(shape, cells, derive_generator(seed, address.chip, "chip", device=device))
    else:
        cell_state = as_new(shape, crossbar.cell, device)
    converters = derive_generator(seed, *address, "converters", device=device)
    drawn = torch.randn(2, crossbar.num_columns, generator=converters, device=device, dtype=torch.float64)
    offset = drawn[0] * readout.offset if readout.offset else None
    gain = 1 + drawn[1] * readout.gain_error if readout.gain_error else None
    return MacroState(cell_state, offset, gain)
