"""What changes in a cell: its conductance, how long ago it was pulsed, and whether it is stuck."""

from dataclasses import dataclass

import torch

from crossloom.artefacts import saved

FREE, STUCK_LOW, STUCK_HIGH = 0, 1, 2


@saved
@dataclass(frozen=True)
class CellState:
    """The state of a block of cells; every tensor has the shape [row, column].

    conductance: S, float64.  age: seconds since the last pulse, float32.  fault: FREE, STUCK_LOW or
    STUCK_HIGH, int8.  chip_factor: how far this chip's cells settle away from their targets, as a share.
    """

    conductance: torch.Tensor
    age: torch.Tensor
    fault: torch.Tensor
    chip_factor: float = 0.0

    @property
    def shape(self) -> torch.Size:
        return self.conductance.shape

    def block(self, row: int, column: int, num_rows: int, num_columns: int) -> "CellState":
        """The state of a rectangle of these cells (views, no copies)."""
        part = (slice(row, row + num_rows), slice(column, column + num_columns))
        return CellState(self.conductance[part], self.age[part], self.fault[part], self.chip_factor)

    def with_block(self, row: int, column: int, block: "CellState") -> "CellState":
        """This state with `block` in place of the rectangle that begins at (row, column)."""
        num_rows, num_columns = block.shape
        part = (slice(row, row + num_rows), slice(column, column + num_columns))
        conductance, age = self.conductance.clone(), self.age.clone()
        conductance[part], age[part] = block.conductance, block.age
        return CellState(conductance, age, self.fault, self.chip_factor)

    def to(self, device: torch.device | str) -> "CellState":
        """The same state on another torch device."""
        return CellState(
            self.conductance.to(device), self.age.to(device), self.fault.to(device), self.chip_factor
        )
