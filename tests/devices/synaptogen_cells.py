"""Blocks of Synaptogen's cells to test on, and pulses with signs as in the measured cells."""

import torch

from crossloom.devices import CellState, SynaptogenDevice
from crossloom.devices.synaptogen import published_fit
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, PulseSpec, SynaptogenDeviceSpec

PULSE = PulseSpec(width=1e-7, step=1e-4, max_width=1e-7, voltage=1.5)
FIT = published_fit()
CPU = torch.device("cpu")
SURE = 10.0  # V, at which even the most stubborn of cells is SET


def make(**fields) -> SynaptogenDevice:
    spec = SynaptogenDeviceSpec(**fields)
    return SynaptogenDevice(spec, CellSpec(g_min=0.0, g_max=1.6e-4, pulse=PULSE, device=spec))


def generator(name: str) -> torch.Generator:
    return derive_generator(0, "synaptogen", name)


def new(model: SynaptogenDevice, shape=(64, 64)) -> CellState:
    return model.deliver(shape, generator("cells"), generator("chip"))


def pulsed(model: SynaptogenDevice, state: CellState, voltage: float, draws=None) -> CellState:
    """Every cell pulsed: voltages below 0 SET, above 0 RESET."""
    widths = torch.full(state.shape, -1e-7 if voltage > 0 else 1e-7, dtype=torch.float64)
    voltages = torch.full(state.shape, abs(voltage), dtype=torch.float64)
    return model.pulse(state, widths, draws or generator("pulse"), voltages)


def targets(shape, conductance: float) -> torch.Tensor:
    return torch.full(shape, conductance, dtype=torch.float64)
