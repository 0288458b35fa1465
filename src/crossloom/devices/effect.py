"""Effects: what happens to a cell between being written and being seen, each with tensors of its own."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch

Own = Mapping[str, torch.Tensor]


class Effect(ABC):
    """One effect on cells. What it keeps of them lies in `CellState.own`, under names that are its alone.

    is_lasting: whether the next pulse starts from the conductance with this effect (drift), or without it (a trap
    that happens to be filled).
    """

    is_lasting = True

    @abstractmethod
    def seen(self, conductance: torch.Tensor, own: Own) -> torch.Tensor:
        """The conductance (S, [row, column]) with this effect; never in place."""

    def new(self, shape: tuple[int, int], generator: torch.Generator) -> dict[str, torch.Tensor]:
        """What it keeps of cells as they come from the factory; they count as written once this is made."""
        return {}

    def written(
        self, own: Own, which: torch.Tensor, generator: torch.Generator
    ) -> Mapping[str, torch.Tensor]:
        """What it keeps anew, by name, once the cells of the mask `which` have been written."""
        return {}

    def aged(self, own: Own, elapsed: float, generator: torch.Generator) -> Mapping[str, torch.Tensor]:
        """What it keeps anew, by name, once `elapsed` seconds (at the reference temperature) have passed."""
        return {}


def normal(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One standard normal number per cell, float32."""
    return torch.randn(like.shape, generator=generator, device=like.device)
