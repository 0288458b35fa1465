"""How programming went: pulses, time, energy, failures, and the error that remains."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.units import format_si


@saved
@dataclass(frozen=True)
class TileReport:
    """How one tile was programmed; tensors are [row, column].

    pulses: int32.  failed: cells that missed the tolerance when last verified.  error: what was measured once
    the cells had settled, less the target, S, float32.  write_time: of all pulses of a cell together, s.  energy: of
    all its pulses, J; None where their voltage is not known.  num_reads: how often each cell was read to write
    it.  trajectory: [step, row, column], S, what was measured at every verify; None unless it was asked for.
    """

    layer: str
    tile: int
    pulses: torch.Tensor = field(repr=False)
    failed: torch.Tensor = field(repr=False)
    error: torch.Tensor = field(repr=False)
    write_time: torch.Tensor | None = field(default=None, repr=False)
    energy: torch.Tensor | None = field(default=None, repr=False)
    num_reads: int | None = None
    trajectory: torch.Tensor | None = field(default=None, repr=False)


@saved
@dataclass(frozen=True)
class TileTotals:
    """The same of a tile's cells together. error_power: sum of squared errors, S^2.  The rest as in `TileReport`."""

    layer: str
    tile: int
    num_cells: int
    num_touched: int
    num_pulses: int
    num_failed: int
    error_power: float
    write_time: float | None
    energy: float | None
    num_reads: int | None


def totals_of(tile: TileReport) -> TileTotals:
    """One tile's cells together."""
    return TileTotals(
        tile.layer,
        tile.tile,
        num_cells=tile.error.numel(),
        num_touched=int((tile.pulses > 0).sum()),
        num_pulses=int(tile.pulses.sum()),
        num_failed=int(tile.failed.sum()),
        error_power=tile.error.double().square().sum().item(),
        write_time=_sum_of(tile.write_time),
        energy=_sum_of(tile.energy),
        num_reads=tile.num_reads and tile.num_reads * tile.error.numel(),
    )


@saved
@dataclass(frozen=True)
class ProgrammingReport(Artefact):
    """How all tiles were programmed. `tolerance` in S, None when nothing was verified; `settle` in s.

    known: the totals of all tiles, where `tiles` are made anew whenever they are asked for; else None.
    digest: what `measured_digest` says of their errors, where it is known.
    """

    strategy: str
    tolerance: float | None
    settle: float
    tiles: Sequence[TileReport] = field(repr=False)
    known: tuple[TileTotals, ...] | None = field(default=None, repr=False)
    digest: str | None = None

    @cached_property
    def totals(self) -> tuple[TileTotals, ...]:
        """Every tile's cells together, in the order in which tiles were written."""
        return tuple(totals_of(tile) for tile in self.tiles) if self.known is None else self.known

    def of(self, numbers: Collection[int]) -> dict[int, TileReport]:
        """The reports of the tiles of these numbers."""
        places = [place for place, tile in enumerate(self.totals) if tile.tile in numbers]
        return {tile.tile: tile for tile in (self.tiles[place] for place in places)}

    @property
    def num_cells(self) -> int:
        return sum(tile.num_cells for tile in self.totals)

    @property
    def num_pulses(self) -> int:
        return sum(tile.num_pulses for tile in self.totals)

    @property
    def num_failed(self) -> int:
        return sum(tile.num_failed for tile in self.totals)

    @property
    def error_std(self) -> float:
        """Root mean square of what was measured less the target, S."""
        return (sum(tile.error_power for tile in self.totals) / max(self.num_cells, 1)) ** 0.5

    @property
    def write_time(self) -> float | None:
        """All pulses one after the other, s; None where they were not timed."""
        return _total(tile.write_time for tile in self.totals)

    @property
    def energy(self) -> float | None:
        """What all pulses dissipated in the cells, J; None where their voltage is not known."""
        return _total(tile.energy for tile in self.totals)

    @property
    def num_reads(self) -> int | None:
        """How often cells were read, all together; None where nobody counted."""
        total = _total(tile.num_reads for tile in self.totals)
        return None if total is None else int(total)

    def summary(self) -> str:
        """Pulses, what they took, failures, and the error that remains."""
        verified = "" if self.tolerance is None else f" within {format_si(self.tolerance, 'S')}"
        return (
            f"ProgrammingReport: {self.num_cells:,} cells by {self.strategy}, {self.num_pulses:,} pulses"
            f"{self._spent()}, {self.num_failed:,} not{verified or ' verified'}; error "
            f"{format_si(self.error_std, 'S')} rms after {self.settle:g} s"
        )

    def _spent(self) -> str:
        """Time and energy of the pulses, where there were any and they are known."""
        known = [(self.write_time, "s"), (self.energy, "J")]
        parts = [format_si(value, unit) for value, unit in known if value]
        return f" ({', '.join(parts)})" if parts else ""


def _sum_of(values: torch.Tensor | None) -> float | None:
    return None if values is None else values.double().sum().item()


def _total(values: Iterable[float | None]) -> float | None:
    """The sum; None as soon as one of them is."""
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total
