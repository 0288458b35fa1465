"""Cells as they come from the factory, and what a pulse nominally does to them."""

import torch

from crossloom.devices.state import FREE, CellState
from crossloom.errors import BackendError
from crossloom.spec import CellSpec, PulseSpec


def as_new(shape: tuple[int, int], cell: CellSpec, device: torch.device) -> CellState:
    """Sound cells, all at the lower end of the window."""
    return CellState(
        conductance=torch.full(shape, cell.g_min, dtype=torch.float64, device=device),
        age=torch.zeros(shape, dtype=torch.float32, device=device),
        fault=torch.full(shape, FREE, dtype=torch.int8, device=device),
    )


def response_of(cell: CellSpec) -> PulseSpec:
    """What pulses do to a cell. BackendError when the specification does not say."""
    if cell.pulse is None:
        raise BackendError(
            "this cell's specification does not say what pulses do; use DirectSet(), or give cell.pulse"
        )
    return cell.pulse


def nominal_change(
    widths: torch.Tensor, cell: CellSpec, voltages: torch.Tensor | None = None
) -> torch.Tensor:
    """Change of conductance (S) that pulses of these widths (s) and voltages (V; None: nominal) nominally make.

    BackendError when the specification does not say.
    """
    response = response_of(cell)
    change = widths * (response.step / response.width)
    if voltages is None:
        return change
    if response.voltage_scale is None:
        raise BackendError(
            "this cell's specification does not say what voltages do; give pulse.voltage and pulse.voltage_scale"
        )
    return change * response.growth(voltages.to(change))
