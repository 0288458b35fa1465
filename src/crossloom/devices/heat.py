"""What temperature does: cells conduct otherwise, and reads carry thermal noise."""

from dataclasses import dataclass

import torch

from crossloom.devices.effect import Effect, Own
from crossloom.spec import TemperatureSpec, ThermalNoiseSpec
from crossloom.units import BOLTZMANN


@dataclass(frozen=True)
class Heat(Effect):
    """All conductances times one factor, for as long as the cells are this warm."""

    spec: TemperatureSpec
    is_lasting = False

    def seen(self, conductance: torch.Tensor, own: Own) -> torch.Tensor:
        return conductance * self.spec.factor


def thermal_noise(spec: ThermalNoiseSpec, conductance: torch.Tensor, temperature: float) -> torch.Tensor:
    """Standard deviation (S, [row, column]) of a read at `temperature` K."""
    power = 4 * BOLTZMANN * temperature * spec.bandwidth
    return (power * conductance).sqrt() / spec.voltage
