"""The state of one simulated macro: its cells, converters and drivers, and how many events it has seen."""

from dataclasses import dataclass, replace

import torch

from crossloom.artefacts import saved
from crossloom.circuits import draw_converters, draw_drivers
from crossloom.devices import CellState, Delivered, DeviceModel, as_new
from crossloom.hardware import Region
from crossloom.seeds import derive_generator
from crossloom.spec import MacroAddress, SystemSpec


@saved
@dataclass(frozen=True)
class MacroState:
    """offset: [column], codes.  gain: [column], relative to nominal.  num_events: writes and reads so far.

    transitions: of the converters, [set, transition], codes.  driver_errors: [row, level], input steps.
    None where nothing is off.  stress: regions that were read since the last event, at how many volt and for how long.
    """

    cells: CellState
    offset: torch.Tensor | None
    gain: torch.Tensor | None
    num_events: int = 0
    transitions: torch.Tensor | None = None
    driver_errors: torch.Tensor | None = None
    stress: tuple[tuple[Region, float, float], ...] = ()

    def stressed(self, region: Region, voltage: float, elapsed: float) -> "MacroState":
        """After a region has been read at `voltage` V for `elapsed` s more."""
        before = sum(time for place, volt, time in self.stress if (place, volt) == (region, voltage))
        others = tuple(item for item in self.stress if item[:2] != (region, voltage))
        return replace(self, stress=(*others, (region, voltage, before + elapsed)))

    def rested(self, cells: CellState) -> "MacroState":
        """With cells that the stress so far has changed."""
        return replace(self, cells=cells, stress=())

    def with_cells(self, cells: CellState) -> "MacroState":
        """After an event that changed the cells."""
        return replace(self, cells=cells, num_events=self.num_events + 1)

    def to(self, device: torch.device | str) -> "MacroState":
        """The same state on another torch device."""

        def moved(tensor: torch.Tensor | None) -> torch.Tensor | None:
            return None if tensor is None else tensor.to(device)

        return MacroState(
            self.cells.to(device),
            moved(self.offset),
            moved(self.gain),
            self.num_events,
            moved(self.transitions),
            moved(self.driver_errors),
            self.stress,
        )


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

    def draws(name: str) -> torch.Generator:
        return derive_generator(seed, *address, name, device=device)

    converters = draw_converters(readout, crossbar.num_columns, draws)
    errors = draw_drivers(spec.macro.dac, crossbar.num_rows, draws("drivers"))
    return MacroState(
        cell_state,
        converters.offset,
        converters.gain,
        transitions=converters.transitions,
        driver_errors=errors,
    )
