"""Random telegraph noise: traps that fill and empty on their own."""

from dataclasses import dataclass
from math import exp

import torch

from crossloom.devices.effect import Effect, Own
from crossloom.spec import TelegraphNoiseSpec

NO_TRAP, EMPTY, FILLED = 0, 1, 2


@dataclass(frozen=True)
class Telegraph(Effect):
    """A two-state Markov chain per cell, in its stationary state from the start.

    The state is kept, so reads at the same moment agree, and moves only as time passes, with the exact
    probabilities of the chain: P(filled after t) = occupancy + (filled now - occupancy) exp(-rate t).
    """

    spec: TelegraphNoiseSpec
    is_lasting = False

    def new(self, shape: tuple[int, int], generator: torch.Generator) -> dict[str, torch.Tensor]:
        spec = self.spec
        drawn = torch.rand((2, *shape), generator=generator, device=generator.device)
        has_trap, is_filled = drawn[0] < spec.affected, drawn[1] < spec.occupancy
        trap = torch.where(is_filled, FILLED, EMPTY).masked_fill_(~has_trap, NO_TRAP)
        return {"trap": trap.to(torch.int8)}

    def aged(self, own: Own, elapsed: float, generator: torch.Generator) -> Own:
        trap, occupancy = own["trap"], self.spec.occupancy
        kept = exp(-self.spec.rate * elapsed)
        filled = occupancy + ((trap == FILLED).double() - occupancy) * kept
        drawn = torch.rand(trap.shape, generator=generator, device=trap.device, dtype=torch.float64)
        moved = torch.where(drawn < filled, FILLED, EMPTY).masked_fill_(trap == NO_TRAP, NO_TRAP)
        return {"trap": moved.to(torch.int8)}

    def seen(self, conductance: torch.Tensor, own: Own) -> torch.Tensor:
        return conductance * (1 - self.spec.amplitude * (own["trap"] == FILLED))
