"""Drift of phase-change cells, and the 1/f noise that grows with their age."""

from dataclasses import dataclass

import torch

from crossloom.devices.effect import Effect, Own, normal
from crossloom.spec import DriftSpec, FlickerNoiseSpec


@dataclass(frozen=True)
class Drift(Effect):
    """g (t / t0)^-nu, with an exponent nu of each cell's own, drawn when the cell is written."""

    spec: DriftSpec

    def new(self, shape: tuple[int, int], generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"drift_exponent": torch.zeros(shape, dtype=torch.float64, device=generator.device)}

    def written(self, own: Own, which: torch.Tensor, generator: torch.Generator) -> Own:
        x = own["aim"] / self.spec.scale
        exponent = self.spec.mean.at(x) + self.spec.spread.at(x) * normal(which, generator)
        return {"drift_exponent": torch.where(which, exponent, own["drift_exponent"])}

    def seen(self, conductance: torch.Tensor, own: Own) -> torch.Tensor:
        past = (own["aged"] / self.spec.reference_time).clamp(min=1)
        if (past == 1).all():
            return conductance
        return conductance * past.pow(-own["drift_exponent"])


def flicker_noise(spec: FlickerNoiseSpec, conductance: torch.Tensor, own: Own) -> torch.Tensor:
    """Standard deviation (S, [row, column]) of a read of cells of this age."""
    q = (spec.coefficient / (own["aim"] / spec.scale).pow(spec.exponent)).clamp(max=spec.limit)
    past = (own["aged"] + spec.read_time) / (2 * spec.read_time)
    return conductance * q * past.clamp(min=1).log().sqrt()
