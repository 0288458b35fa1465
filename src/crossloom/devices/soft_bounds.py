"""Cells whose pulses do less the nearer they come to their bound."""

from dataclasses import dataclass
from functools import partial
from math import log1p, sqrt

import torch

from crossloom.devices.delivery import as_new
from crossloom.devices.model import DeviceModel
from crossloom.devices.pulses import one_by_one, pulse_counts
from crossloom.devices.state import FREE, CellState
from crossloom.spec import CellSpec, SoftBoundsDeviceSpec


@dataclass(frozen=True)
class SoftBoundsDevice(DeviceModel):
    """Analytic pulses: up (1 - g / bound) for those that set, -down g / bound for those that reset.

    `own` holds each cell's up, down and bound (S, [row, column]), drawn at delivery. The mean of n pulses up is
    bound - (bound - g) (1 - up / bound)^n, of n pulses down g (1 - down / bound)^n.
    """

    spec: SoftBoundsDeviceSpec
    cell: CellSpec

    def deliver(self, shape: tuple[int, int], cells: torch.Generator, chip: torch.Generator) -> CellState:
        spec, state = self.spec, as_new(shape, self.cell, cells.device)
        up, down = (alpha * _factors(shape, spec.device_spread, cells) for alpha in (spec.up, spec.down))
        bound = (spec.bound or self.cell.g_max) * _factors(shape, spec.bound_spread, cells)
        own = {"up": up, "down": down, "bound": bound}
        return state.but(conductance=torch.minimum(state.conductance, bound), own=own)

    def set(self, state: CellState, target: torch.Tensor, generator: torch.Generator) -> CellState:
        """The nearest conductance that a cell can have, within half of what one pulse does there.

        No write-verify can aim finer: the error is drawn evenly from that range, the mean of up and down.
        """
        own = state.own
        aim = torch.minimum(target.to(state.conductance).clamp(min=0), own["bound"])
        share = aim / own["bound"]
        reach = (own["up"] * (1 - share) + own["down"] * share) / 4
        drawn = torch.rand(state.shape, generator=generator, device=generator.device, dtype=aim.dtype)
        reached = self._within(aim + reach * (2 * drawn - 1), own["bound"])
        return self._moved(state, reached).but(age=torch.zeros_like(state.age))

    def pulse(
        self,
        state: CellState,
        widths: torch.Tensor,
        generator: torch.Generator,
        voltages: torch.Tensor | None = None,
    ) -> CellState:
        counts = pulse_counts(widths, self.cell, voltages)
        step = partial(self._step, own=state.own, generator=generator)
        reached = one_by_one(state.conductance, counts, step)
        return self._moved(state, reached).but(age=state.age.masked_fill(widths != 0, 0.0))

    def read_noise(self, state: CellState) -> torch.Tensor | None:
        noise = self.spec.read_noise
        return None if noise is None or noise.is_zero else noise.at(state.conductance)

    def relax(self, state: CellState, elapsed: float, generator: torch.Generator) -> CellState:
        return state.but(age=state.age + elapsed)

    def _step(
        self, conductance: torch.Tensor, sign: torch.Tensor, own, generator: torch.Generator
    ) -> torch.Tensor:
        """The change (S) of one pulse, that no luck takes past a bound."""
        share = conductance / own["bound"]
        change = torch.where(sign > 0, own["up"] * (1 - share), -own["down"] * share)
        if self.spec.pulse_spread:
            drawn = torch.randn(
                conductance.shape, generator=generator, device=generator.device, dtype=conductance.dtype
            )
            change = change * (1 + self.spec.pulse_spread * drawn)
        return self._within(conductance + change, own["bound"]) - conductance

    def _within(self, conductance: torch.Tensor, bound: torch.Tensor) -> torch.Tensor:
        return torch.minimum(conductance.clamp(min=0), bound)

    def _moved(self, state: CellState, conductance: torch.Tensor) -> CellState:
        return state.but(conductance=torch.where(state.fault == FREE, conductance, state.conductance))


def _factors(shape: tuple[int, int], spread: float, generator: torch.Generator) -> torch.Tensor:
    """Factors of mean 1 and standard deviation `spread`, log-normal as none may be 0 or below, float64."""
    variance = log1p(spread**2)
    drawn = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return (sqrt(variance) * drawn - variance / 2).exp()
