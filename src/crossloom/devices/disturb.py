"""Read disturb: cells in the low-resistance state that are read for long lose conductance."""

from dataclasses import dataclass

import torch

from crossloom.devices.effect import Effect, Own
from crossloom.spec import ReadDisturbSpec


@dataclass(frozen=True)
class ReadDisturb(Effect):
    """The loss after `stress` seconds at the usual read voltage; writing a cell makes it whole again.

    g_min, g_max: the window, S.  temperature: K.
    """

    spec: ReadDisturbSpec
    g_min: float
    g_max: float
    temperature: float

    def new(self, shape: tuple[int, int], generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"stress": torch.zeros(shape, dtype=torch.float64, device=generator.device)}

    def written(self, own: Own, which: torch.Tensor, generator: torch.Generator) -> Own:
        return {"stress": own["stress"].masked_fill(which, 0.0)}

    def seen(self, conductance: torch.Tensor, own: Own) -> torch.Tensor:
        threshold = self.spec.threshold or (self.g_min + self.g_max) / 2
        left = conductance * self.share_left(own["stress"], own["cycles"])
        disturbed = torch.maximum(left, conductance.clamp(max=self.g_min))
        return torch.where(own["aim"] >= threshold, disturbed, conductance)

    def share_left(self, stress: torch.Tensor, cycles: torch.Tensor) -> torch.Tensor:
        """Share of the conductance that is left after `stress` s at the usual voltage and `cycles` writes.

        factor (1 - wear N^m) (time / t)^p is (t / t_transition)^-p without the overflow of the 1/p in between.
        """
        spec = self.spec
        worn = (1 - spec.wear * cycles.double().pow(spec.wear_exponent)).clamp(min=0)
        power = spec.power(spec.voltage, self.temperature)
        left = (spec.factor * worn * (spec.time / stress).pow(power)).clamp(max=1.0)
        return left.masked_fill(stress == 0, 1.0)

    def stressed(
        self, own: Own, voltage: torch.Tensor | float, elapsed: torch.Tensor | float
    ) -> dict[str, torch.Tensor]:
        """After `elapsed` seconds more at `voltage` V (each a number, or a tensor that fits [row, column]).

        Stress at another voltage counts as the stress at the usual one that loses as much.
        """
        spec, stress = self.spec, own["stress"]
        voltage, elapsed = (
            torch.as_tensor(value, dtype=stress.dtype, device=stress.device).abs()
            for value in (voltage, elapsed)
        )
        ratio = spec.power(spec.voltage, self.temperature) / spec.power(voltage, self.temperature)
        there = spec.time * (stress / spec.time).pow(ratio) + elapsed
        back = spec.time * (there / spec.time).pow(1 / ratio)
        return {"stress": torch.where((voltage == 0) | (elapsed == 0), stress, back)}
