"""What came of tuning chips in the loop: the curve, the cells that were touched, and the chips as they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.programming import ProgrammedChips
from crossloom.training.in_the_loop.config import InTheLoopConfig, LayerByLayerConfig


@saved
@dataclass(frozen=True)
class InTheLoopPoint:
    """Where tuning stood after an epoch; epoch 0 is before the first.

    loss: mean over its batches, each before its update; None where there was none.  accuracy: on the test data, once
    its cells were rewritten; None without any.  cells, pulses: of the rewriting that belongs to it.
    """

    epoch: int
    loss: float | None
    accuracy: float | None
    cells: int
    pulses: int


@saved
@dataclass(frozen=True)
class InTheLoopResult(Artefact):
    """How chips were tuned, or programmed, with themselves in the loop.

    curve: one point for every epoch, or for every layer that was programmed.  layers: of every tile, by its number.
    writes: int32 [row, column], by number of tile: how often each cell was written; tiles that were never touched are
    not in it.  pulses: of single cells, by layer; none where chips set cells on their own.  digital: layers whose
    scales and biases were trained.  num_reads: of single cells.  num_mvms: products of vectors with tiles.
    chips: as they are now; not saved with the rest.
    """

    system: str
    config: InTheLoopConfig | LayerByLayerConfig
    curve: tuple[InTheLoopPoint, ...]
    layers: Mapping[int, str] = field(repr=False)
    writes: Mapping[int, torch.Tensor] = field(repr=False)
    pulses: Mapping[str, int]
    digital: tuple[str, ...]
    num_cells: int
    num_reads: int
    num_mvms: int
    chips: ProgrammedChips | None = field(default=None, repr=False, compare=False)

    @property
    def cells_rewritten(self) -> Mapping[str, int]:
        """Cells that were written at least once, by layer."""
        counts: dict[str, int] = {}
        for number, found in self.writes.items():
            name = self.layers[number]
            counts[name] = counts.get(name, 0) + int((found > 0).sum())
        return counts

    @property
    def num_cells_rewritten(self) -> int:
        return sum(self.cells_rewritten.values())

    @property
    def num_pulses(self) -> int:
        return sum(self.pulses.values())

    @property
    def num_writes(self) -> int:
        """Of single cells, repeated ones included."""
        return sum(int(found.sum()) for found in self.writes.values())

    @property
    def accuracy(self) -> float | None:
        """On the test data, at the end."""
        return self.curve[-1].accuracy

    def summary(self) -> str:
        """Accuracy before and after; cells, pulses, reads."""
        told = [point.accuracy for point in (self.curve[0], self.curve[-1])]
        accuracy = "" if None in told else f", accuracy {told[0]:.1%} to {told[1]:.1%}"
        names = ", ".join(f"{name} {count:,}" for name, count in self.cells_rewritten.items()) or "none"
        digital = f"; scales and biases of {len(self.digital)} layers trained" if self.digital else ""
        return (
            f"InTheLoopResult on {self.system}: {self._how_long()}{accuracy}; "
            f"{self.num_cells_rewritten:,} of {self.num_cells:,} cells written ({names}), {self.num_pulses:,} "
            f"pulses{digital}; {self.num_reads:,} reads of cells, {self.num_mvms:,} MVMs"
        )

    def _how_long(self) -> str:
        return f"{self.curve[-1].epoch} {'epochs' if isinstance(self.config, InTheLoopConfig) else 'stages'}"

    def table(self) -> str:
        """The curve, a line for every epoch."""
        head = f"{'epoch':>5} {'loss':>8} {'accuracy':>9} {'cells':>8} {'pulses':>9}"
        return "\n".join([head, *map(_line, self.curve)])

    def to_saved(self) -> Any:
        """All but the chips: save those by themselves, where they can be."""
        return replace(self, chips=None)


def _line(point: InTheLoopPoint) -> str:
    accuracy = "" if point.accuracy is None else f"{point.accuracy:.1%}"
    loss = "" if point.loss is None else f"{point.loss:.4f}"
    return f"{point.epoch:>5} {loss:>8} {accuracy:>9} {point.cells:>8,} {point.pulses:>9,}"
