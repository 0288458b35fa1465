"""The line: what a chip can be asked, simulated or at the end of a cable."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import torch

from crossloom.hardware.codes import Codes
from crossloom.hardware.commands import Draw, MvmCommand, Reading, Region
from crossloom.registry import Registry
from crossloom.spec import MacroAddress, SystemSpec


class Backend(ABC):
    """The chips of one system. Every call names a macro and a region of its crossbar."""

    @property
    @abstractmethod
    def spec(self) -> SystemSpec:
        """What hardware this is."""

    @abstractmethod
    def pulse(
        self,
        address: MacroAddress,
        region: Region,
        widths: torch.Tensor,
        voltages: torch.Tensor | None = None,
    ) -> None:
        """One pulse per cell: `widths` in s, [row, column]; above 0 sets, below resets, 0 leaves alone.

        `voltages`: magnitudes in V, [row, column], at least 0; None for the nominal voltage of the cell.
        """

    @abstractmethod
    def read(self, address: MacroAddress, region: Region) -> torch.Tensor:
        """Measure the conductance of every cell: S, [row, column]."""

    @abstractmethod
    def mvm(self, command: MvmCommand, codes: Codes, draw: Draw, count_codes: bool = False) -> Reading:
        """Multiply a batch of codes with a region, and give the sums of the converter's codes."""


@runtime_checkable
class ManyMvms(Protocol):
    """A backend that multiplies the same codes with several regions at once."""

    def mvm_many(
        self, commands: Sequence[MvmCommand], codes: Codes, draw: Draw, count_codes: bool = False
    ) -> tuple[Reading, ...]:
        """One reading per command; all have the same number of inputs and the same input format."""
        ...


@runtime_checkable
class OnChipSet(Protocol):
    """A backend whose chips bring cells to targets on their own."""

    def set(self, address: MacroAddress, region: Region, targets: torch.Tensor) -> None:
        """Bring cells to `targets`, S, [row, column]."""
        ...


@runtime_checkable
class Timed(Protocol):
    """A backend that lets time pass: a real one sleeps, a simulated one ages its cells."""

    def wait(self, elapsed: float) -> None:
        """Let `elapsed` seconds pass on all chips."""
        ...


@runtime_checkable
class Quietable(Protocol):
    """A backend that can do without read noise, to tell its part from the rest."""

    def quiet(self) -> Backend:
        """The same chips, as they are, read without noise."""
        ...


@runtime_checkable
class Copyable(Protocol):
    """A backend whose chips can be copied as they are."""

    def copy(self) -> Backend:
        """The same chips, independent of these from now on."""
        ...


@runtime_checkable
class Divisible(Protocol):
    """A backend whose macros can leave memory: what one is follows from what was done to it, and from nothing else."""

    def part(self, addresses: Collection[MacroAddress]) -> Self:
        """The same chips, independent of these from now on, with these macros as they are and all others as delivered.

        BackendError where reads change cells, so that macros follow from all that was ever read.
        """
        ...

    def join(self, part: Any) -> None:
        """Take the macros of a part of these chips, in place of one's own."""
        ...

    def drop(self, addresses: Collection[MacroAddress]) -> None:
        """Forget these macros, and what was made from them: they are as delivered."""
        ...

    @property
    def num_bytes(self) -> int:
        """What macros, and what was made from them, take in memory."""
        ...


@runtime_checkable
class Storable(Protocol):
    """A backend whose chips can be saved with an artefact, and made again from what was saved.

    `kind` is the name under which the class is registered as an entry point of group `crossloom.backends`.
    """

    kind: str

    def to_state(self) -> Any:
        """The chips as a value that artefacts can hold."""
        ...

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """The chips again."""
        ...


backends: Registry[type[Storable]] = Registry("backend", "crossloom.backends")
