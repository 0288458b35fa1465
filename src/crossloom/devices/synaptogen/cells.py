"""What a Synaptogen cell remembers, taken apart from `CellState` and put back."""

from dataclasses import dataclass, replace
from typing import Any

import torch

from crossloom.devices.state import FREE, CellState

AFTER_RESET, AFTER_SET, BETWEEN = 0, 1, 2


@dataclass(frozen=True)
class Cells:
    """A block of cells, [row, column].

    conductance: static, S.  phase: AFTER_RESET (a full one), AFTER_SET or BETWEEN, int8.
    threshold: V, the voltage past which the next RESET pulse moves the cell.
    curve: a and c of the RESET under way, [2, row, column], in A per V^eta and A.
    history, mean, scale: of `Cycles`.
    """

    conductance: torch.Tensor
    phase: torch.Tensor
    threshold: torch.Tensor
    curve: torch.Tensor
    history: torch.Tensor
    mean: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def of(cls, state: CellState) -> "Cells":
        """The cells of a state that this model made."""
        return cls(state.conductance, **state.own)

    def into(self, state: CellState) -> CellState:
        """`state` with these cells; stuck ones keep their conductance."""
        own = {name: value for name, value in vars(self).items() if name != "conductance"}
        conductance = torch.where(state.fault == FREE, self.conductance, state.conductance)
        return state.but(conductance=conductance, own=own)

    def but(self, **changes: Any) -> "Cells":
        """These cells with other values in some fields."""
        return replace(self, **changes)

    def pick(self, chosen: torch.Tensor) -> "Cells":
        """The cells of a mask [row, column], in a line."""
        return Cells(**{name: value[..., chosen] for name, value in vars(self).items()})

    def put(self, chosen: torch.Tensor, picked: "Cells") -> "Cells":
        """These cells with `picked` in place of those of the mask."""
        made = {name: value.clone() for name, value in vars(self).items()}
        for name, value in vars(picked).items():
            made[name][..., chosen] = value
        return Cells(**made)

    def where(self, chosen: torch.Tensor, others: "Cells") -> "Cells":
        """These cells, but `others` where `chosen` ([row, column]) holds."""
        pairs = {name: (getattr(others, name), mine) for name, mine in vars(self).items()}
        return Cells(**{name: a if a is b else torch.where(chosen, a, b) for name, (a, b) in pairs.items()})
