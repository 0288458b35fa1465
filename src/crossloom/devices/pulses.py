"""What cells that answer pulse by pulse share: how many pulses a pulse counts as, and a chip's own write-verify."""

from collections.abc import Callable

import torch

from crossloom.devices.delivery import nominal_change, response_of
from crossloom.spec import CellSpec

Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_NEARLY_WHOLE = 1e-6


def pulse_counts(widths: torch.Tensor, cell: CellSpec, voltages: torch.Tensor | None) -> torch.Tensor:
    """How many nominal pulses these count as, signed, float64, [row, column].

    A pulse of n nominal widths counts as n of them, and one of another voltage as `PulseSpec.growth` says.
    BackendError when the cell's specification does not say what pulses, or voltages, do.
    """
    counts = nominal_change(widths.double(), cell, voltages) / response_of(cell).step
    nearest = counts.round()
    return torch.where((counts - nearest).abs() < _NEARLY_WHOLE, nearest, counts)


def one_by_one(conductance: torch.Tensor, counts: torch.Tensor, step: Step) -> torch.Tensor:
    """Conductance (S) after `counts` pulses, signed, [row, column].

    step(conductance, sign) gives the change that one pulse makes where sign is not 0, drawn anew at every call.
    A part of a pulse does that part of what a whole one does. Cells go together, pulse after pulse.
    """
    left = counts.abs()
    while (left > 0).any():
        part = left.clamp(max=1)
        change = part * step(conductance, torch.where(left > 0, counts.sign(), 0.0))
        conductance = torch.where(left > 0, (conductance + change).clamp(min=0), conductance)
        left = (left - 1).clamp(min=0)
    return conductance


def write_verified(
    conductance: torch.Tensor, target: torch.Tensor, step: Step, tolerance: float, max_pulses: int
) -> torch.Tensor:
    """Conductance (S) once single pulses have brought cells within `tolerance` of `target`, or `max_pulses` have not.

    `step` meets the cells that are left, [cell].
    """
    conductance = conductance.clone()
    for _ in range(max_pulses):
        error = target - conductance
        missed = error.abs() > tolerance
        if not missed.any():
            break
        conductance[missed] = one_by_one(conductance[missed], error[missed].sign(), step)
    return conductance
