"""Cells with Gaussian programming error, read noise, variation from chip to chip, and stuck cells."""

from dataclasses import dataclass
from math import exp

import torch

from crossloom.devices.delivery import as_new, nominal_change
from crossloom.devices.model import DeviceModel
from crossloom.devices.state import FREE, STUCK_HIGH, STUCK_LOW, CellState
from crossloom.spec import CellSpec, GaussianDeviceSpec


@dataclass(frozen=True)
class GaussianDevice(DeviceModel):
    """The usual statistical cell.

    `set` draws the whole programming error at once. After pulses the same error builds up while the cell
    settles, as 1 - exp(-age / settling_time) of its variance: write-verify would remove any error that it
    could still see. Conductances stay at or above zero; stuck cells never move.
    """

    spec: GaussianDeviceSpec
    cell: CellSpec

    def deliver(self, shape: tuple[int, int], cells: torch.Generator, chip: torch.Generator) -> CellState:
        state = as_new(shape, self.cell, cells.device)
        drawn = torch.rand(shape, generator=cells, device=cells.device)
        fault = torch.full_like(state.fault, FREE)
        fault[drawn < self.spec.stuck_low] = STUCK_LOW
        fault[drawn >= 1 - self.spec.stuck_high] = STUCK_HIGH
        factor = torch.randn((), generator=chip, device=chip.device).item() * (self.spec.variation or 0.0)
        return state.but(conductance=self._hold(state.conductance, fault), fault=fault, chip_factor=factor)

    def set(self, state: CellState, target: torch.Tensor, generator: torch.Generator) -> CellState:
        settled = self._settle(target.to(state.conductance), 1.0, state.chip_factor, generator)
        age = torch.full_like(state.age, torch.inf)
        return state.but(conductance=self._hold(settled, state.fault), age=age)

    def pulse(self, state: CellState, widths: torch.Tensor, generator: torch.Generator) -> CellState:
        spread = torch.randn(state.shape, generator=generator, device=generator.device)
        change = nominal_change(widths, self.cell) * (1 + self.spec.pulse_spread * spread)
        conductance = self._hold((state.conductance + change).clamp_(min=0), state.fault)
        return state.but(conductance=conductance, age=state.age.masked_fill(widths != 0, 0.0))

    def read_noise(self, state: CellState) -> torch.Tensor | None:
        noise = self.spec.read_noise
        return None if noise is None or noise.is_zero else noise.at(state.conductance)

    def relax(self, state: CellState, elapsed: float, generator: torch.Generator) -> CellState:
        tau = self.spec.settling_time
        share = torch.exp(-state.age.double() / tau) * (1 - exp(-elapsed / tau))
        conductance = self._settle(state.conductance, share, state.chip_factor, generator)
        return state.but(conductance=self._hold(conductance, state.fault), age=state.age + elapsed)

    def _settle(
        self,
        conductance: torch.Tensor,
        share: torch.Tensor | float,
        chip_factor: float,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Draw `share` of the error's variance, and shift by the same share of the chip's own factor.

        Both compose: settling by one share and then by another is settling by their sum.
        """
        settled = conductance * max(1 + chip_factor, 0.0) ** share
        if self.spec.programming_error is not None:
            drawn = torch.randn(conductance.shape, generator=generator, device=conductance.device)
            settled = settled + self.spec.programming_error.at(conductance) * share**0.5 * drawn
        return settled.clamp_(min=0)

    def _hold(self, conductance: torch.Tensor, fault: torch.Tensor) -> torch.Tensor:
        """Put stuck cells back to where they are stuck."""
        held = conductance.masked_fill(fault == STUCK_LOW, self.cell.g_min)
        return held.masked_fill_(fault == STUCK_HIGH, self.cell.g_max)
