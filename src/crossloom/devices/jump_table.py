"""Cells that jump as measured ones did, from tables of how far one pulse moved them."""

from dataclasses import dataclass
from functools import cached_property, partial

import torch

from crossloom.devices.delivery import as_new
from crossloom.devices.model import DeviceModel
from crossloom.devices.pulses import one_by_one, pulse_counts, write_verified
from crossloom.devices.state import FREE, CellState
from crossloom.spec import CellSpec, Jumps, JumpTableDeviceSpec

_MAX_PULSES = 100
_TOLERANCE = 0.01


@dataclass(frozen=True)
class JumpTableDevice(DeviceModel):
    """Cells whose every pulse draws its effect from a measured distribution at the conductance that they have.

    They stay within the conductances at which the table was measured: what a pulse does beyond is not known.
    """

    spec: JumpTableDeviceSpec
    cell: CellSpec

    def deliver(self, shape: tuple[int, int], cells: torch.Generator, chip: torch.Generator) -> CellState:
        """Cells at the lower end of the window, or the lowest conductance that was measured above it."""
        state = as_new(shape, self.cell, cells.device)
        return state.but(conductance=self._within(state.conductance))

    def set(self, state: CellState, target: torch.Tensor, generator: torch.Generator) -> CellState:
        """The chip's own write-verify, by pulses of the nominal width and exact reads.

        Within the published tolerance (else 1 % of g_max) for at most the published number of pulses (else 100):
        cells that miss stay where their last pulse left them.
        """
        response = self.cell.pulse
        tolerance = (response and response.tolerance) or _TOLERANCE * self.cell.g_max
        limit = (response and response.max_pulses) or _MAX_PULSES
        step = partial(self._step, generator=generator)
        reached = write_verified(state.conductance, target.to(state.conductance), step, tolerance, limit)
        return self._moved(state, reached).but(age=torch.zeros_like(state.age))

    def pulse(
        self,
        state: CellState,
        widths: torch.Tensor,
        generator: torch.Generator,
        voltages: torch.Tensor | None = None,
    ) -> CellState:
        counts = pulse_counts(widths, self.cell, voltages)
        reached = one_by_one(state.conductance, counts, partial(self._step, generator=generator))
        return self._moved(state, reached).but(age=state.age.masked_fill(widths != 0, 0.0))

    def read_noise(self, state: CellState) -> torch.Tensor | None:
        noise = self.spec.read_noise
        return None if noise is None or noise.is_zero else noise.at(state.conductance)

    def relax(self, state: CellState, elapsed: float, generator: torch.Generator) -> CellState:
        return state.but(age=state.age + elapsed)

    def _step(
        self, conductance: torch.Tensor, sign: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Changes (S) that stay within the measured range; 0 where sign is 0."""
        change = torch.zeros_like(conductance)
        drawn = torch.rand(
            conductance.shape, generator=generator, device=conductance.device, dtype=conductance.dtype
        )
        for table, which in ((self._tables[0], sign > 0), (self._tables[1], sign < 0)):
            change[which] = table.to(conductance.device).change(conductance[which], drawn[which])
        return self._within(conductance + change) - conductance

    def _within(self, conductance: torch.Tensor) -> torch.Tensor:
        axes = [jumps.conductance for jumps in (self.spec.table.increasing, self.spec.table.decreasing)]
        return conductance.clamp(min(axis[0] for axis in axes), max(axis[-1] for axis in axes))

    def _moved(self, state: CellState, conductance: torch.Tensor) -> CellState:
        return state.but(conductance=torch.where(state.fault == FREE, conductance, state.conductance))

    @cached_property
    def _tables(self) -> "tuple[JumpDistribution, JumpDistribution]":
        table = self.spec.table
        return JumpDistribution.of(table.increasing), JumpDistribution.of(table.decreasing)


@dataclass(frozen=True)
class JumpDistribution:
    """The quantiles of a pulse's effect: conductance [bin] S, probability [point], change [point, bin] S."""

    conductance: torch.Tensor
    probability: torch.Tensor
    quantiles: torch.Tensor

    @classmethod
    def of(cls, jumps: Jumps) -> "JumpDistribution":
        """The tensors of a table, float64."""
        return cls(
            *(
                torch.tensor(numbers, dtype=torch.float64)
                for numbers in (jumps.conductance, jumps.probability, jumps.change)
            )
        )

    def to(self, device: torch.device) -> "JumpDistribution":
        """The same on another torch device."""
        return JumpDistribution(
            self.conductance.to(device), self.probability.to(device), self.quantiles.to(device)
        )

    def change(self, conductance: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
        """The quantile (S) at `probability` of a pulse's effect on cells of `conductance` (S), both [cell].

        Linear between points and between bins; beyond the first and last of either, what is there.
        """
        bin_, right = _locate(self.conductance, conductance)
        point, upper = _locate(self.probability, probability)
        num_bins = len(self.conductance)
        flat, corner = self.quantiles.flatten(), point * num_bins + bin_
        low = torch.lerp(flat[corner], flat[corner + 1], right)
        high = torch.lerp(flat[corner + num_bins], flat[corner + num_bins + 1], right)
        return torch.lerp(low, high, upper)


def _locate(axis: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The interval of `axis` in which each value lies, and how far into it, from 0 to 1."""
    start = (torch.searchsorted(axis, values, right=True) - 1).clamp(0, len(axis) - 2)
    share = (values - axis[start]) / (axis[start + 1] - axis[start])
    return start, share.clamp(0, 1)
