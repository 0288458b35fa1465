"""Cells that do not move."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator

from crossloom.spec import MacroSpec
from crossloom.training.effects.effect import CellEffect

Probability = Annotated[float, Field(ge=0, le=1)]


class StuckCells(CellEffect):
    """Cells that are stuck at g_min with probability `low`, or at g_max with probability `high`.

    Others in every pass: the network learns to do with some stuck cells, not with those of one chip. What a stuck
    cell holds does not depend on its weight, so in this pass it has no gradient.
    """

    kind: Literal["stuck_cells"] = "stuck_cells"
    low: Probability = 0.0
    high: Probability = 0.0

    @model_validator(mode="after")
    def _some_cells_are_stuck(self) -> Self:
        if not 0 < self.low + self.high <= 1:
            raise ValueError(f"need 0 < low + high <= 1, got {self.low} + {self.high}")
        return self

    def with_share(self, share: float) -> Self:
        return self.replace(low=self.low * share, high=self.high * share)

    def on_cells(self, conductance: torch.Tensor, macro: MacroSpec) -> torch.Tensor:
        drawn = torch.rand_like(conductance, requires_grad=False)
        held = conductance.masked_fill(drawn < self.low, macro.cell.g_min)
        return held.masked_fill(drawn >= 1 - self.high, macro.cell.g_max) if self.high else held
