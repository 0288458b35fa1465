"""What changes in a cell: its conductance, how long ago it was pulsed, and whether it is stuck."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch

from crossloom.artefacts import saved

FREE, STUCK_LOW, STUCK_HIGH = 0, 1, 2


@saved
@dataclass(frozen=True)
class CellState:
    """The state of a block of cells; every tensor has the shape [row, column].

    conductance: S, float64.  age: seconds since the last pulse, float32.  fault: FREE, STUCK_LOW or
    STUCK_HIGH, int8.  chip_factor: how far this chip's cells settle away from their targets, as a share.
    own: what else a device model keeps of its cells, by name; each tensor [..., row, column].
    """

    conductance: torch.Tensor
    age: torch.Tensor
    fault: torch.Tensor
    chip_factor: float = 0.0
    own: Mapping[str, torch.Tensor] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def shape(self) -> torch.Size:
        return self.conductance.shape

    def but(self, **changes: Any) -> "CellState":
        """This state with other values in some of its fields."""
        return replace(self, **changes)

    def block(self, row: int, column: int, num_rows: int, num_columns: int) -> "CellState":
        """The state of a rectangle of these cells (views, no copies)."""
        part = (..., slice(row, row + num_rows), slice(column, column + num_columns))
        own = {name: tensor[part] for name, tensor in self.own.items()}
        return CellState(self.conductance[part], self.age[part], self.fault[part], self.chip_factor, own)

    def with_block(self, row: int, column: int, block: "CellState") -> "CellState":
        """This state with `block` in place of the rectangle that begins at (row, column)."""
        num_rows, num_columns = block.shape
        if block.shape == self.shape:  # states are never written into, so nothing need be copied
            return block
        part = (..., slice(row, row + num_rows), slice(column, column + num_columns))

        def put(whole: torch.Tensor, piece: torch.Tensor) -> torch.Tensor:
            before = whole[part]
            if piece.data_ptr() == before.data_ptr() and piece.stride() == before.stride():
                return whole  # the very same cells: what an event left alone is not copied
            whole = whole.clone()
            whole[part] = piece
            return whole

        own = {name: put(tensor, block.own[name]) for name, tensor in self.own.items()}
        conductance, age = put(self.conductance, block.conductance), put(self.age, block.age)
        return CellState(conductance, age, put(self.fault, block.fault), self.chip_factor, own)

    def to(self, device: torch.device | str) -> "CellState":
        """The same state on another torch device."""
        own = {name: tensor.to(device) for name, tensor in self.own.items()}
        return CellState(
            self.conductance.to(device), self.age.to(device), self.fault.to(device), self.chip_factor, own
        )
