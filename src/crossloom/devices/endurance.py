"""Endurance: cells that are written often fail, and the window that can be written closes."""

from dataclasses import dataclass

import torch

from crossloom.devices.effect import Own
from crossloom.devices.state import FREE, STUCK_HIGH, STUCK_LOW
from crossloom.spec import CellSpec, EnduranceSpec


@dataclass(frozen=True)
class Endurance:
    """Each cell has a lifetime in write cycles from the factory on; all share how the window closes."""

    spec: EnduranceSpec
    cell: CellSpec

    def new(self, shape: tuple[int, int], generator: torch.Generator) -> dict[str, torch.Tensor]:
        """lifetime: cycles.  failure: how the cell will be stuck, STUCK_LOW or STUCK_HIGH."""
        drawn = torch.rand((2, *shape), generator=generator, device=generator.device, dtype=torch.float64)
        failure = torch.where(drawn[1] < self.spec.stuck_high, STUCK_HIGH, STUCK_LOW).to(torch.int8)
        if self.spec.life is None:
            return {"lifetime": torch.full_like(drawn[0], torch.inf), "failure": failure}
        lifetime = self.spec.life * (-(-drawn[0]).log1p()).pow(1 / self.spec.life_shape)
        return {"lifetime": lifetime, "failure": failure}

    def failed(self, fault: torch.Tensor, own: Own) -> torch.Tensor:
        """The faults, those of cells that have reached the end of their lives among them."""
        ends = (fault == FREE) & (own["cycles"] >= own["lifetime"])
        return torch.where(ends, own["failure"], fault)

    def within(self, wanted: torch.Tensor, own: Own, start: torch.Tensor | None = None) -> torch.Tensor:
        """`wanted` (S) within what is left of the window; or no further out than `start`, where that lies outside."""
        if self.spec.window_life is None:
            return wanted
        low, high = self.window(own["cycles"])
        if start is not None:
            low, high = low.minimum(start), high.maximum(start)
        return wanted.maximum(low).minimum(high)

    def window(self, cycles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The lowest and the highest conductance (S) that can still be written after `cycles`."""
        middle = (self.cell.g_min + self.cell.g_max) / 2
        worn = (cycles.double() / (self.spec.window_life or torch.inf)).pow(self.spec.window_exponent)
        half = (self.cell.g_max - self.cell.g_min) / 2 / (1 + worn)
        return middle - half, middle + half
