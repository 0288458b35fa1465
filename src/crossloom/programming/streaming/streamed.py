"""Chips of which only as many macros are in memory as there is room for."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Self

import torch

from crossloom.artefacts import saved
from crossloom.errors import BackendError
from crossloom.hardware import (
    Backend,
    Codes,
    Divisible,
    Draw,
    MvmCommand,
    Reading,
    Region,
    backends,
    quieted,
    restored,
    stored,
    together,
)
from crossloom.placement import Placement
from crossloom.programming.streaming.footprint import VALUES_SHARE, Footprint
from crossloom.programming.streaming.past import Past, Waiting
from crossloom.spec import MacroAddress, SystemSpec

_Places = tuple[tuple[MacroAddress, Region], ...]


@saved
@dataclass(frozen=True)
class StreamedChips:
    """What a `StreamedBackend` is made of: the chips before anything was done to them, by kind and state, and what."""

    kind: str
    state: Any
    memory: int
    footprint: Footprint
    past: Past
    is_quiet: bool = False

    def without(self, placement: Placement) -> "StreamedChips":
        """For a file that holds this placement anyway."""
        return replace(self, past=self.past.with_placement(placement, None))

    def with_placement(self, placement: Placement) -> "StreamedChips":
        """The inverse of `without`."""
        return replace(self, past=self.past.with_placement(None, placement))


class StreamedBackend(Backend):
    """Chips whose macros are made when they are used, from their past, and dropped when room is short.

    Every macro is what it would be if all were kept: what it meets depends on seeds, its address and its own past. Of
    those in memory, the one that was not used for longest goes first. Each copy of the chips has a memory of its own.
    Cells cannot be written one by one: only `program` writes such chips.
    """

    kind = "streamed"

    def __init__(
        self, base: Divisible, memory: int, footprint: Footprint, past: Past, is_quiet: bool = False
    ) -> None:
        self.divisible, self.memory, self.footprint, self.is_quiet = base, memory, footprint, is_quiet
        self._steps, self._reads = past.steps, dict(past.reads)
        self._forget()

    @property
    def base(self) -> Backend:
        """The chips before any of their past."""
        base = self.divisible
        assert isinstance(base, Backend)
        return base

    @property
    def spec(self) -> SystemSpec:
        return self.base.spec

    @property
    def past(self) -> Past:
        """What was done to the chips so far."""
        return Past(self._steps, dict(self._reads))

    @property
    def num_bytes(self) -> int:
        """What the macros in memory take, and what was made from them."""
        return self._live.num_bytes

    def pulse(
        self,
        address: MacroAddress,
        region: Region,
        widths: torch.Tensor,
        voltages: torch.Tensor | None = None,
    ) -> None:
        raise BackendError(
            "chips that are made again from their past cannot be pulsed cell by cell; write them by "
            "program(placement, backend), or program them without memory="
        )

    def read(self, address: MacroAddress, region: Region) -> torch.Tensor:
        self._bring([address], 0)
        measured = self._chips.read(address, region)
        self._reads[address] = (*self._reads.get(address, ()), (len(self._steps), region))
        return measured

    def wait(self, elapsed: float) -> None:
        """Age all cells by `elapsed` seconds."""
        self._steps = (*self._steps, Waiting(elapsed))
        self._forget()

    def mvm(self, command: MvmCommand, codes: Codes, draw: Draw, count_codes: bool = False) -> Reading:
        return self.mvm_many((command,), codes, draw, count_codes)[0]

    def mvm_many(
        self, commands: Sequence[MvmCommand], codes: Codes, draw: Draw, count_codes: bool = False
    ) -> tuple[Reading, ...]:
        """As chips that are kept would answer."""
        places = tuple(dict.fromkeys((command.address, command.region) for command in commands))
        num_cells = 0 if places in self._made else sum(region.num_cells for _, region in places)
        self._bring([address for address, _ in places], num_cells)
        self._made.add(places)
        return tuple(together(self._chips)(commands, codes, draw, count_codes))

    def quiet(self) -> "StreamedBackend":
        """The same chips, as they are, read without noise."""
        return StreamedBackend(self.divisible, self.memory, self.footprint, self.past, True)

    def copy(self) -> "StreamedBackend":
        """The same chips, independent of these from now on, none of them in memory yet."""
        return StreamedBackend(self.divisible, self.memory, self.footprint, self.past, self.is_quiet)

    def keep(self, part: Divisible, address: MacroAddress) -> None:
        """Take in a macro that was just made, if there is room."""
        if not self._is_short_of(self.footprint.macro):
            self._live.join(self._as_read(part))
            self._used[address] = None

    def to_state(self) -> StreamedChips:
        """The chips as a value: their past. BackendError when the chips before it cannot be kept."""
        return StreamedChips(*stored(self.base), self.memory, self.footprint, self.past, self.is_quiet)

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """The chips again, none of them in memory yet."""
        base = restored(state.kind, state.state)
        assert isinstance(base, Divisible)
        return cls(base, state.memory, state.footprint, state.past, state.is_quiet)

    @property
    def _chips(self) -> Backend:
        assert isinstance(self._live, Backend)
        return self._live

    def _forget(self) -> None:
        """Begin without any macro in memory."""
        self._live = self._as_read(self.divisible.part(()))
        self._used: OrderedDict[MacroAddress, None] = OrderedDict()
        self._made: set[_Places] = set()

    def _as_read(self, part: Divisible) -> Divisible:
        """A part that is read as these chips are: with noise or without."""
        if not self.is_quiet:
            return part
        assert isinstance(part, Backend)
        quiet = quieted(part)
        assert isinstance(quiet, Divisible)
        return quiet

    def _bring(self, addresses: Sequence[MacroAddress], num_cells: int) -> None:
        """Have these macros in memory, and room to make a function of so many cells of theirs."""
        missing = [address for address in dict.fromkeys(addresses) if address not in self._used]
        for address in addresses:
            if address in self._used:
                self._used.move_to_end(address)
        if missing or num_cells:
            needed = self.footprint.of_macros(len(missing)) + self.footprint.of_functions(num_cells)
            self._make_room(needed, set(addresses))
        past = self.past if missing else None
        for address in missing:
            assert past is not None
            self._live.join(self._as_read(past.redo(self.divisible, address)[0]))
            self._used[address] = None

    def _make_room(self, needed: int, wanted: Collection[MacroAddress]) -> None:
        """Drop what was not used for longest, as long as there is too little room and it is not wanted."""
        while self._is_short_of(needed):
            share = max(self._live.num_bytes // max(len(self._used), 1), 1)
            number = -(-(self._live.num_bytes + needed - self._room) // share)
            going = set(islice((address for address in self._used if address not in wanted), number))
            if not going:
                return
            self._live.drop(going)
            for address in going:
                del self._used[address]
            self._made = {places for places in self._made if not any(place[0] in going for place in places)}

    def _is_short_of(self, needed: int) -> bool:
        return self._live.num_bytes + needed > self._room

    @property
    def _room(self) -> int:
        return round(self.memory * (1 - VALUES_SHARE))


backends.register(StreamedBackend.kind, StreamedBackend)
