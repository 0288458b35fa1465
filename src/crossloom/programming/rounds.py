"""Chips that are too small: tiles are written in rounds, for every batch anew, as they are needed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch

from crossloom.artefacts import saved
from crossloom.errors import BackendError, ProgramError
from crossloom.hardware import (
    AskMany,
    Backend,
    Codes,
    Draw,
    MvmCommand,
    Reading,
    Region,
    Timed,
    backends,
    copied,
    quieted,
    restored,
    stored,
    together,
)
from crossloom.placement import Placement
from crossloom.programming.plan import PlannedTile, plan_tile
from crossloom.programming.report import TileReport, TileTotals, totals_of
from crossloom.programming.strategies import Strategy
from crossloom.programming.writing import write_tiles
from crossloom.spec import MacroAddress, SystemSpec
from crossloom.units import format_si


@saved
@dataclass(frozen=True)
class Rewritten:
    """What was written while something ran: rounds, cells, pulses, their time (s) and energy (J); None: not known."""

    num_rounds: int = 0
    num_cells: int = 0
    num_pulses: int = 0
    write_time: float | None = 0.0
    energy: float | None = 0.0

    def __add__(self, other: "Rewritten") -> "Rewritten":
        return Rewritten(
            self.num_rounds + other.num_rounds,
            self.num_cells + other.num_cells,
            self.num_pulses + other.num_pulses,
            _sum(self.write_time, other.write_time),
            _sum(self.energy, other.energy),
        )

    def summary(self) -> str:
        """In one line."""
        known = [(self.write_time, "s"), (self.energy, "J")]
        parts = [format_si(value, unit) for value, unit in known if value]
        spent = f" ({', '.join(parts)})" if parts else ""
        return (
            f"the system was too small for all tiles at once: {self.num_rounds:,} rounds wrote {self.num_cells:,} "
            f"cells with {self.num_pulses:,} pulses{spent} while it ran"
        )


@saved
@dataclass(frozen=True)
class RoundsChips:
    """What a `RoundsBackend` is made of. placement: None only in files, where it is the one that the chips hold."""

    kind: str
    state: Any
    placement: Placement | None
    strategy: Strategy
    settle: float
    is_quiet: bool

    def without(self, placement: Placement) -> "RoundsChips":
        """For a file that holds this placement anyway."""
        return replace(self, placement=None) if self.placement is placement else self

    def with_placement(self, placement: Placement) -> "RoundsChips":
        """The inverse of `without`."""
        return self if self.placement is not None else replace(self, placement=placement)


@dataclass(eq=False)
class RoundsBackend(Backend):
    """Chips that hold the tiles of one round of a placement at a time; `enter` writes those of another.

    Every writing has errors of its own. `rewritten` adds up what it took.
    """

    base: Backend
    placement: Placement
    strategy: Strategy
    settle: float
    is_quiet: bool = False
    rewritten: Rewritten = field(default_factory=Rewritten)
    _round: int | None = field(default=None, init=False)
    _ask: AskMany | None = field(default=None, init=False, repr=False)

    kind = "rounds"

    @property
    def spec(self) -> SystemSpec:
        return self.base.spec

    def enter(self, number: int) -> tuple[TileReport, ...]:
        """Have the tiles of this round in the cells: how writing them went, nothing where they are there."""
        if number == self._round:
            return ()
        self._round = self._ask = None  # until all of it is written
        reports = write_tiles(self._planned(number), self.base, self.strategy, self.settle)
        self.rewritten += _added([totals_of(report) for report in reports])
        self._round = number
        return reports

    def pulse(
        self,
        address: MacroAddress,
        region: Region,
        widths: torch.Tensor,
        voltages: torch.Tensor | None = None,
    ) -> None:
        raise BackendError(
            "chips that are written in rounds are written by program(placement, backend) and by runs, not cell by cell"
        )

    def read(self, address: MacroAddress, region: Region) -> torch.Tensor:
        """Measure what the present round left."""
        return self.base.read(address, region)

    def mvm(self, command: MvmCommand, codes: Codes, draw: Draw, count_codes: bool = False) -> Reading:
        return self.mvm_many((command,), codes, draw, count_codes)[0]

    def mvm_many(
        self, commands: Sequence[MvmCommand], codes: Codes, draw: Draw, count_codes: bool = False
    ) -> tuple[Reading, ...]:
        """As the chips answer in the present round."""
        self._ask = self._ask or together(quieted(self.base) if self.is_quiet else self.base)
        return tuple(self._ask(commands, codes, draw, count_codes))

    def wait(self, elapsed: float) -> None:
        """Age all cells by `elapsed` seconds; what is asked of them next is written anew."""
        if not isinstance(self.base, Timed):
            raise BackendError(f"a {type(self.base).__name__} cannot let time pass")
        self.base.wait(elapsed)
        self._round = None

    def quiet(self) -> "RoundsBackend":
        """The same chips, written as ever, and read without noise when they multiply."""
        return replace(self.copy(), is_quiet=True)

    def copy(self) -> "RoundsBackend":
        """The same chips, independent of these from now on where they can be copied; nothing rewritten yet."""
        return replace(self, base=copied(self.base), rewritten=Rewritten())

    def to_state(self) -> RoundsChips:
        """The chips as a value. BackendError when they cannot be kept."""
        return RoundsChips(*stored(self.base), self.placement, self.strategy, self.settle, self.is_quiet)

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """The chips again."""
        return cls(
            restored(state.kind, state.state), state.placement, state.strategy, state.settle, state.is_quiet
        )

    def _planned(self, number: int) -> list[PlannedTile]:
        planned = [
            plan_tile(self.placement, tile) for tile, own in enumerate(self.placement.rounds) if own == number
        ]
        return sorted(planned, key=lambda tile: (tile.address, tile.tile))


backends.register(RoundsBackend.kind, RoundsBackend)


def check_lasting(placement: Placement, what: str) -> None:
    """ProgramError where cells do not stay as they are: `what` says what needs that they do."""
    if placement.rounds:
        raise ProgramError(
            f"{what}: this placement writes the system anew in {placement.num_rounds} rounds for every batch, so that "
            "nothing that is found out about cells lasts; use a larger system "
            f"(num_chips={placement.system.num_chips * placement.num_rounds} will do)"
        )


def _sum(some: float | None, more: float | None) -> float | None:
    """Of two, None where one is not known."""
    return None if some is None or more is None else some + more


def _added(tiles: Sequence[TileTotals]) -> Rewritten:
    """One round."""
    each = (Rewritten(0, tile.num_cells, tile.num_pulses, tile.write_time, tile.energy) for tile in tiles)
    return sum(each, Rewritten(1))
