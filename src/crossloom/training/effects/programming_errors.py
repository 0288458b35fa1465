"""Cells that end beside their targets, as those of a device model do."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field

from crossloom.errors import ConfigError
from crossloom.spec import DeviceSpec, GaussianDeviceSpec, IdealDeviceSpec, MacroSpec
from crossloom.training.effects.cell_states import cell_with, programmed
from crossloom.training.effects.effect import CellEffect, Share

_SOURCES = (
    "programming_error",
    "variation",
    "stuck_low",
    "stuck_high",
    "relaxation",
    "drift",
    "telegraph_noise",
)


class ProgrammingErrors(CellEffect):
    """What a device model leaves of cells that are set to their targets, at the conductance that each one has.

    Every pass programs a new chip: error, variation, stuck cells, and the relaxation and drift of `elapsed` seconds
    since (1 s is when `program` measures). What write-verify leaves within its tolerance is not part of it.
    device: None for that of the system's cells.  share: of the deviation from the target.
    """

    kind: Literal["programming_errors"] = "programming_errors"
    device: DeviceSpec | None = None
    elapsed: Annotated[float, Field(ge=0)] = 1.0
    share: Share = 1.0

    def with_share(self, share: float) -> Self:
        return self.model_copy(update={"share": self.share * share})

    def check(self, macro: MacroSpec) -> None:
        device = self.device or macro.cell.device
        if isinstance(device, IdealDeviceSpec) or (
            isinstance(device, GaussianDeviceSpec) and not any(getattr(device, name) for name in _SOURCES)
        ):
            raise ConfigError(
                "programming_errors: these cells are programmed without any; give "
                "ProgrammingErrors(device=load_device(name).cell.device)"
            )

    def on_cells(self, conductance: torch.Tensor, macro: MacroSpec) -> torch.Tensor:
        target = conductance.detach()
        with torch.no_grad():
            reached, is_stuck = programmed(cell_with(macro.cell, self.device), target, self.elapsed)
            if self.share != 1:
                reached = target + self.share * (reached - target)
        # Adds exactly nothing, but carries the gradient.
        moved = reached + (conductance - target)
        return moved if is_stuck is None else torch.where(is_stuck, reached, moved)
