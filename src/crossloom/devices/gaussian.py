"""Cells with Gaussian error and noise, and with whichever effects of time, reading, writing and heat are given."""

from dataclasses import dataclass
from functools import cached_property
from math import exp

import torch

from crossloom.devices.delivery import as_new, nominal_change
from crossloom.devices.disturb import ReadDisturb
from crossloom.devices.drift import flicker_noise
from crossloom.devices.heat import thermal_noise
from crossloom.devices.history import History, make_history
from crossloom.devices.model import DeviceModel
from crossloom.devices.state import FREE, STUCK_HIGH, STUCK_LOW, CellState
from crossloom.spec import ROOM_TEMPERATURE, CellSpec, GaussianDeviceSpec


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
        state = state.but(fault=fault, chip_factor=factor)
        if self._history is not None:
            state = state.but(own=self._history.new(state.conductance, cells))
        return self._shown(state, state.conductance)

    def set(self, state: CellState, target: torch.Tensor, generator: torch.Generator) -> CellState:
        aim = target.to(state.conductance)
        if self._history and self._history.endurance:
            aim = self._history.endurance.within(aim, state.own)
        settled = self._settle(aim, aim, 1.0, state.chip_factor, generator)
        every = torch.ones(state.shape, dtype=torch.bool, device=state.age.device)
        age = torch.full_like(state.age, torch.inf)
        return self._written(state.but(age=age), aim, settled, every, generator)

    def pulse(
        self,
        state: CellState,
        widths: torch.Tensor,
        generator: torch.Generator,
        voltages: torch.Tensor | None = None,
    ) -> CellState:
        spread = torch.randn(state.shape, generator=generator, device=generator.device)
        change = nominal_change(widths, self.cell, voltages) * (1 + self.spec.pulse_spread * spread)
        start = self._history.seen(state.own, lasting_only=True) if self._history else state.conductance
        moved = (start + change).clamp_(min=0)
        if self._history and self._history.endurance:
            moved = self._history.endurance.within(moved, state.own, start)
        age = state.age.masked_fill(widths != 0, 0.0)
        return self._written(state.but(age=age), moved, moved, widths != 0, generator)

    def nudge(self, state: CellState, widths: torch.Tensor, generator: torch.Generator) -> CellState:
        """Cells that have moved, but go on ageing as before, and are no more worn."""
        spread = torch.randn(state.shape, generator=generator, device=generator.device)
        change = nominal_change(widths, self.cell) * (1 + self.spec.pulse_spread * spread)
        if self._history is None:
            return self._shown(state, state.conductance + change)
        written = (state.own["written"] + change).clamp(min=0)
        return self._shown(state.but(own={**state.own, "written": written}), state.conductance)

    def read_noise(self, state: CellState) -> torch.Tensor | None:
        spec, variances = self.spec, []
        if spec.read_noise is not None and not spec.read_noise.is_zero:
            variances.append(spec.read_noise.at(state.conductance).square())
        if spec.flicker_noise is not None:
            variances.append(flicker_noise(spec.flicker_noise, state.conductance, state.own).square())
        if spec.thermal_noise is not None:
            temperature = spec.temperature.operating if spec.temperature else ROOM_TEMPERATURE
            noise = thermal_noise(spec.thermal_noise, state.conductance, temperature)
            variances.append(noise.square())
        return torch.stack(variances).sum(0).sqrt() if variances else None

    def relax(self, state: CellState, elapsed: float, generator: torch.Generator) -> CellState:
        if elapsed == 0:
            return state
        tau, heat = self.spec.settling_time, self.spec.temperature
        passed = elapsed * (heat.acceleration if heat else 1.0)
        own, age = state.own, state.age.double()
        # At another temperature cells settle faster than their age in seconds says; set ones have settled.
        clock = torch.where(age.isinf(), age, own["aged"]) if self._history else age
        share = torch.exp(-clock / tau) * (1 - exp(-passed / tau))
        start, aim = (own["written"], own["aim"]) if self._history else (state.conductance, state.conductance)
        settled = self._settle(start, aim, share, state.chip_factor, generator)
        if self._history is not None:
            own = self._history.aged(own, settled, passed, generator)
        return self._shown(state.but(own=own, age=state.age + elapsed), settled)

    def disturb(
        self, state: CellState, voltage: torch.Tensor | float, elapsed: torch.Tensor | float
    ) -> CellState:
        """After reading cells at `voltage` V for `elapsed` s; `state` itself where reads disturb nothing."""
        for effect in self._history.effects if self._history else ():
            if isinstance(effect, ReadDisturb):
                own = {**state.own, **effect.stressed(state.own, voltage, elapsed)}
                return self._shown(state.but(own=own), state.conductance)
        return state

    @cached_property
    def _history(self) -> History | None:
        return make_history(self.spec, self.cell)

    def _written(
        self,
        state: CellState,
        aim: torch.Tensor,
        settled: torch.Tensor,
        which: torch.Tensor,
        generator: torch.Generator,
    ) -> CellState:
        """After an event that wrote the cells of the mask `which`; others have kept what they had."""
        if self._history is None:
            return self._shown(state, settled)
        state = state.but(own=self._history.written(state.own, aim, settled, which, generator))
        if self._history.endurance is not None:
            state = state.but(fault=self._history.endurance.failed(state.fault, state.own))
        return self._shown(state, settled)

    def _shown(self, state: CellState, settled: torch.Tensor) -> CellState:
        """The state with the conductance that follows from what its cells keep, or from `settled` (S) alone."""
        free = self._history.seen(state.own) if self._history else settled.clamp(min=0)
        held = free.masked_fill(state.fault == STUCK_LOW, self.cell.g_min)
        return state.but(conductance=held.masked_fill_(state.fault == STUCK_HIGH, self.cell.g_max))

    def _settle(
        self,
        conductance: torch.Tensor,
        aim: torch.Tensor,
        share: torch.Tensor | float,
        chip_factor: float,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Draw `share` of the variance of the error at `aim`, and shift by that share of the chip's own factor.

        Both compose: settling by one share and then by another is settling by their sum.
        """
        settled = conductance * max(1 + chip_factor, 0.0) ** share
        if self.spec.programming_error is not None:
            drawn = torch.randn(conductance.shape, generator=generator, device=conductance.device)
            settled = settled + self.spec.programming_error.at(aim) * share**0.5 * drawn
        return settled
