"""Regions that are no plain matrix: cells that are not ohmic, and rows that are cut off when their input is zero."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from crossloom.circuits.curves import Curve, Term
from crossloom.circuits.wires import Segments, eliminate
from crossloom.circuits.wires.newton import solve
from crossloom.hardware import Region
from crossloom.progress import track

_CELLS_AT_ONCE = 2**20  # cells times vectors: some seconds and 300 MB while they are solved
_STEP = 1e-4
_TOLERANCE = 1e-7  # of a column's current: far below what converters resolve
Measured = tuple[torch.Tensor, torch.Tensor | None]


class CurvedArray(ABC):
    """What a region answers to voltages on its rows."""

    @abstractmethod
    def currents(self, voltages: torch.Tensor, with_noise: bool) -> Measured:
        """A [vector, column] for V [vector, row], and the standard deviation of one read; None when exact."""


@dataclass(frozen=True)
class TermsArray(CurvedArray):
    """Wires without resistance, cells with i = sum_k a_k(g) phi_k(v): one product for every k.

    noise: S, of one read of every cell, [row, column]; None for none.  curve: of the cells.  typical: S, where the
    curve's sensitivity to the conductance is taken.
    """

    terms: list[Term]
    curve: Curve
    noise: torch.Tensor | None
    typical: torch.Tensor

    def currents(self, voltages: torch.Tensor, with_noise: bool) -> Measured:
        current = sum(shape(voltages) @ matrix for matrix, shape in self.terms)
        assert isinstance(current, torch.Tensor)
        if not with_noise or self.noise is None:
            return current, None
        power = _per_conductance(self.curve, self.typical, voltages).square()
        return current, (power @ self.noise.square()).sqrt()


@dataclass(frozen=True)
class NetworkArray(CurvedArray):
    """A crossbar that is solved for every vector.

    conductance: S, of all cells that may conduct, [row, column].  noise: S, of one read of every cell; None for none.
    region: the lines in use, counted from the first ones here; the
    others are held at 0 V.  is_gated: whether rows at 0 V are cut off.
    """

    conductance: torch.Tensor
    curve: Curve
    ends: Segments
    noise: torch.Tensor | None
    region: Region
    is_gated: bool

    def currents(self, voltages: torch.Tensor, with_noise: bool) -> Measured:
        chunks = voltages.split(max(_CELLS_AT_ONCE // self.conductance.numel(), 1))
        solved = track(chunks, "solving circuits", len(chunks))
        parts = [self._solved(part, with_noise) for part in solved]
        spreads = [spread for _, spread in parts if spread is not None]
        return torch.cat([current for current, _ in parts]), torch.cat(spreads) if spreads else None

    def _solved(self, voltages: torch.Tensor, with_noise: bool) -> Measured:
        region = self.region
        columns = slice(region.column, region.column + region.num_columns)
        driven = voltages.new_zeros(len(voltages), len(self.conductance))
        driven[:, region.row : region.row + region.num_rows] = voltages
        active = driven != 0 if self.is_gated else None
        solution = solve(self.curve, self.conductance, self.ends, driven, active, _TOLERANCE)
        current = solution.currents[:, columns]
        if not with_noise or self.noise is None:
            return current, None
        per_conductance = _per_conductance(self.curve, self.conductance, solution.voltage)
        if active is not None:
            per_conductance = per_conductance * active.unsqueeze(-1)
        arriving = self.noise * self._arrival(solution.voltage)
        return current, (per_conductance * arriving).square().sum(1).sqrt()[:, columns]

    def _arrival(self, voltage: torch.Tensor) -> torch.Tensor:
        """Share of what a cell adds to its current that arrives at the end of its column, [row, column].

        That of cells with the slopes that they have at these voltages [vector, row, column], on average.
        """
        if self.ends.is_zero or not self.ends.is_connected:
            return torch.full_like(self.conductance, float(self.ends.is_zero))
        slope = self.curve.current(self.conductance, voltage)[1].mean(0)
        return -eliminate(slope.unsqueeze(0), self.ends, keep=True).own_voltage(2).squeeze(0)


def _per_conductance(curve: Curve, conductance: torch.Tensor, voltage: torch.Tensor) -> torch.Tensor:
    """By how much a cell's current changes with its conductance, V: exact where currents are linear in it."""
    step = _STEP * conductance.abs().clamp(min=1e-9)
    higher, lower = curve.current(conductance + step, voltage)[0], curve.current(conductance, voltage)[0]
    return (higher - lower) / step
