"""How cells switch: SET is abrupt, RESET is gradual, and every first RESET begins a cycle of its own."""

from dataclasses import dataclass
from functools import lru_cache

import torch

from crossloom.devices.synaptogen.cells import AFTER_RESET, AFTER_SET, BETWEEN, Cells
from crossloom.devices.synaptogen.cycles import Cycles, Features
from crossloom.devices.synaptogen.mixture_iv import MixtureIV
from crossloom.spec import SynaptogenFit

_SHORTEST = 1e-6  # V: a RESET that begins at U_max or past it is a full one
_ITERATIONS = 12


@dataclass(frozen=True)
class Switching:
    """The transitions of a fit (Hennen et al., doi 10.1109/TED.2024.3427616), for blocks of cells."""

    fit: SynaptogenFit
    cycles: Cycles
    iv: MixtureIV

    def features(self, cells: Cells) -> Features:
        """The cycle that the cells are in."""
        return self.cycles.features(cells.history, cells.mean, cells.scale)

    def set(self, cells: Cells, voltage: torch.Tensor) -> Cells:
        """Voltages (V, negative) on cells: those at or below a cell's SET voltage bring it to its LRS at once."""
        now = self.features(cells)
        moved = (cells.phase != AFTER_SET) & (voltage <= now.set_voltage)
        return cells.but(
            conductance=torch.where(moved, now.set_conductance, cells.conductance),
            phase=cells.phase.masked_fill(moved, AFTER_SET),
            threshold=torch.where(moved, now.reset_voltage, cells.threshold),
        )

    def reset(self, cells: Cells, voltage: torch.Tensor, generator: torch.Generator) -> Cells:
        """Voltages (V, positive) on cells: those past a cell's threshold move it down its RESET curve."""
        moved = (cells.phase != AFTER_RESET) & (voltage > cells.threshold)
        cells = self.begin(cells, moved & (cells.phase == AFTER_SET), generator)
        return self.down(cells, voltage, moved)

    def down(self, cells: Cells, voltage: torch.Tensor, moved: torch.Tensor) -> Cells:
        """Cells whose RESET has begun, down their curves to voltages (V), where `moved` holds."""
        full = moved & (voltage >= self.fit.full_reset_voltage)
        along = self.along(cells.curve, voltage.masked_fill(~moved, self.fit.full_reset_voltage))
        conductance = torch.where(full, self.features(cells).reset_conductance, along)
        return cells.but(
            conductance=torch.where(moved, conductance, cells.conductance),
            phase=cells.phase.masked_fill(moved, BETWEEN).masked_fill_(full, AFTER_RESET),
            threshold=torch.where(moved, voltage, cells.threshold),
        )

    def begin(self, cells: Cells, first: torch.Tensor, generator: torch.Generator) -> Cells:
        """Draw the next cycle where `first` holds, and its curve from the LRS that was to the HRS that will be."""
        if not first.any():
            return cells
        drawn = cells.but(history=self.cycles.advance(cells.history, generator))
        highest = cells.conductance.new_tensor(self.fit.full_reset_voltage)
        start = self.iv.current(cells.conductance, cells.threshold)[0]
        end = self.iv.current(self.features(drawn).reset_conductance, highest)[0]
        span = (highest - cells.threshold).clamp(min=_SHORTEST) ** self.fit.reset_exponent
        drawn = drawn.but(curve=torch.stack([(start - end) / span, end]))
        return cells.where(first, drawn)

    def along(self, curve: torch.Tensor, voltage: torch.Tensor) -> torch.Tensor:
        """Static conductance (S) on RESET curves [2, ...] at voltages (V): I = a |U_max - U|^eta + c."""
        left = (self.fit.full_reset_voltage - voltage).abs()
        return self.iv.conductance_through(curve[0] * left**self.fit.reset_exponent + curve[1], voltage)

    def voltage_for(self, cells: Cells, target: torch.Tensor) -> torch.Tensor:
        """The RESET voltage (V) at which a curve passes `target` (S), as conductance falls with voltage.

        U_max where the target lies below what the cycle's full RESET gives, the threshold where it lies above all.
        By false position with the Illinois rule (Dowell and Jarratt, BIT 11, 168 (1971)), in a bracket all along.
        """
        low, high = cells.threshold, torch.full_like(target, self.fit.full_reset_voltage)
        above, below = (self.along(cells.curve, end) - target for end in (low, high))
        last = torch.zeros_like(target)
        voltage = torch.where(below >= 0, high, low)
        is_inside = (above > 0) & (below < 0)
        for _ in range(_ITERATIONS):
            between = (low * below - high * above) / (below - above)
            error = self.along(cells.curve, between) - target
            voltage = torch.where(is_inside, between, voltage)
            # An end that stays twice counts half, so that the other one moves as well.
            side = error.sign()
            below = torch.where(side > 0, torch.where(last > 0, below / 2, below), error)
            above = torch.where(side > 0, error, torch.where(last < 0, above / 2, above))
            low, high = torch.where(side > 0, between, low), torch.where(side > 0, high, between)
            last = side
        return voltage


@lru_cache(maxsize=8)
def switching_of(fit: SynaptogenFit, device: torch.device) -> Switching:
    """The transitions of a fit, with its tensors on a torch device."""
    return Switching(fit, Cycles.of(fit, device), MixtureIV.of(fit))
