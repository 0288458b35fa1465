"""Some cells of a region under a strategy that believes it writes all of them."""

import torch

from crossloom.errors import BackendError
from crossloom.hardware import Backend, Codes, Draw, MvmCommand, OnChipSet, Reading, Region, Timed
from crossloom.spec import MacroAddress, SystemSpec


class SelectedCells(Backend):
    """Passes on what concerns `selected` cells (bool, [row, column] of `region`); the others get no pulse.

    The others read as their `targets` (S), so that a strategy that verifies finds nothing to do there.
    """

    def __init__(self, chips: Backend, region: Region, targets: torch.Tensor, selected: torch.Tensor) -> None:
        self._chips, self._region = chips, region
        self._targets, self._selected = targets, selected

    @property
    def spec(self) -> SystemSpec:
        return self._chips.spec

    def pulse(
        self,
        address: MacroAddress,
        region: Region,
        widths: torch.Tensor,
        voltages: torch.Tensor | None = None,
    ) -> None:
        widths = widths * self._part(self._selected, region).to(widths)
        if widths.any():
            self._chips.pulse(address, region, widths, voltages)

    def set(self, address: MacroAddress, region: Region, targets: torch.Tensor) -> None:
        """Bring the selected cells to `targets` (S), in one event for every rectangle of them."""
        if not isinstance(self._chips, OnChipSet):
            raise BackendError(f"{type(self._chips).__name__} cannot set cells on its own; use WriteVerify()")
        for block in rectangles(self._part(self._selected, region)):
            rows = slice(block.row, block.row + block.num_rows)
            part = targets[rows, block.column : block.column + block.num_columns]
            place = Region(region.row + block.row, region.column + block.column, *part.shape)
            self._chips.set(address, place, part)

    def read(self, address: MacroAddress, region: Region) -> torch.Tensor:
        measured = self._chips.read(address, region)
        others = self._part(self._targets, region).to(measured)
        return torch.where(self._part(self._selected, region).to(measured.device), measured, others)

    def mvm(self, command: MvmCommand, codes: Codes, draw: Draw, count_codes: bool = False) -> Reading:
        return self._chips.mvm(command, codes, draw, count_codes)

    def wait(self, elapsed: float) -> None:
        """Let time pass, where the chips know of it."""
        if isinstance(self._chips, Timed):
            self._chips.wait(elapsed)

    def _part(self, whole: torch.Tensor, region: Region) -> torch.Tensor:
        row, column = region.row - self._region.row, region.column - self._region.column
        return whole[row : row + region.num_rows, column : column + region.num_columns]


def rectangles(selected: torch.Tensor) -> list[Region]:
    """Rectangles that hold just the selected cells (bool, [row, column]), each once.

    Rows that select the same cells and lie next to each other share their rectangles.
    """
    found: list[Region] = []
    rows, counts = torch.unique_consecutive(selected.cpu(), dim=0, return_counts=True)
    first = 0
    for row, count in zip(rows, counts.tolist(), strict=True):
        edges = torch.diff(row.int(), prepend=torch.zeros(1).int(), append=torch.zeros(1).int())
        starts, ends = (edges == 1).nonzero().flatten(), (edges == -1).nonzero().flatten()
        found += [
            Region(first, start, count, end - start)
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        first += count
    return found
