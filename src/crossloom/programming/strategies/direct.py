"""Cells that the chip sets on its own."""

from dataclasses import dataclass

import torch

from crossloom.artefacts import saved
from crossloom.errors import ProgramError
from crossloom.hardware import Backend, OnChipSet, Region
from crossloom.programming.strategies.strategy import Strategy, Written
from crossloom.spec import MacroAddress


@saved
@dataclass(frozen=True)
class DirectSet(Strategy):
    """Let the chip bring its cells to their targets on its own, in one event per region."""

    def tolerance_for(self, backend: Backend) -> None:
        return None

    def check(self, backend: Backend) -> None:
        if not isinstance(backend, OnChipSet):
            raise ProgramError(f"{type(backend).__name__} cannot set cells on its own; use WriteVerify()")

    def write(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        self.check(backend)
        assert isinstance(backend, OnChipSet)
        backend.set(address, region, targets)
        none = torch.zeros_like(targets, dtype=torch.int32)
        return Written(none, none.bool(), num_reads=0)
