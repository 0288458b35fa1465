"""What was done to all macros, so that it can be done to one of them again, to the bit."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from crossloom.artefacts import saved
from crossloom.hardware import Backend, Divisible, Region, Timed
from crossloom.placement import Placement
from crossloom.programming.plan import plan_tile, tiles_by_macro
from crossloom.programming.report import TileReport
from crossloom.programming.strategies import Strategy
from crossloom.programming.writing import write_tiles
from crossloom.spec import MacroAddress


@saved
@dataclass(frozen=True)
class Programming:
    """A placement was written. It is None only in files, where it is the one that the chips hold."""

    placement: Placement | None
    strategy: Strategy
    settle: float

    @cached_property
    def tiles(self) -> Mapping[MacroAddress, tuple[int, ...]]:
        """The numbers of the tiles on every macro, in the order in which they are written."""
        assert self.placement is not None
        return tiles_by_macro(self.placement)

    def redo(self, part: Backend, address: MacroAddress) -> tuple[TileReport, ...]:
        """Write the tiles of this macro."""
        assert self.placement is not None
        planned = [plan_tile(self.placement, number) for number in self.tiles.get(address, ())]
        return write_tiles(planned, part, self.strategy, self.settle)


@saved
@dataclass(frozen=True)
class Waiting:
    """`elapsed` seconds passed."""

    elapsed: float

    def redo(self, part: Backend, address: MacroAddress) -> tuple[TileReport, ...]:
        """Let them pass."""
        assert isinstance(part, Timed)
        part.wait(self.elapsed)
        return ()


Step = Programming | Waiting


@saved
@dataclass(frozen=True)
class Past:
    """Steps that all macros went through, and reads that single ones met in between.

    reads: by macro, after how many steps which region was read; reads change what later events draw.
    """

    steps: tuple[Step, ...]
    reads: Mapping[MacroAddress, tuple[tuple[int, Region], ...]] = field(default_factory=dict, repr=False)

    def then(self, step: Step) -> "Past":
        """With one more step."""
        return Past((*self.steps, step), self.reads)

    def until_written(self) -> "Past":
        """As it was when the chips had been programmed last."""
        last = max(number for number, step in enumerate(self.steps, 1) if isinstance(step, Programming))
        return Past(self.steps[:last], self.reads)

    def with_placement(self, old: Placement | None, new: Placement | None) -> "Past":
        """With `new` wherever the placement `old` was written."""
        steps = tuple(
            replace(step, placement=new) if isinstance(step, Programming) and step.placement is old else step
            for step in self.steps
        )
        return Past(steps, self.reads)

    def redo(self, base: Divisible, address: MacroAddress) -> tuple[Divisible, tuple[TileReport, ...]]:
        """The chips of `base` with this macro alone, after all of this; and what its last writing took."""
        part, reports = base.part((address,)), ()
        assert isinstance(part, Backend)
        for number, step in enumerate(self.steps, 1):
            reports = step.redo(part, address)
            for after, region in self.reads.get(address, ()):
                if after == number:
                    part.read(address, region)
        return part, reports
