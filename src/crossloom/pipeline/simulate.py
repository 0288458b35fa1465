"""Simulated chips in one call."""

import torch

from crossloom.backends import SimulatedBackend
from crossloom.devices import DeviceModel
from crossloom.errors import ConfigError
from crossloom.spec import SystemSpec


def simulate(
    system: SystemSpec,
    seed: int = 0,
    *,
    device_model: DeviceModel | None = None,
    device: torch.device | str = "cpu",
) -> SimulatedBackend:
    """Chips of a system that exist only in memory: other seeds, other chips.

    `device_model` replaces the cells that the system's specification names; `device` is where tensors live.
    """
    if not isinstance(system, SystemSpec):
        raise ConfigError(f"need a SystemSpec, got {type(system).__name__}; make one with load_system(name)")
    return SimulatedBackend(system, seed, device_model, device)
