"""How learning went: the curve, and what it took of the cells."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.training.on_chip.config import OnChipConfig
from crossloom.training.on_chip.network import OnChipNetwork


@saved
@dataclass(frozen=True)
class LearningPoint:
    """Where learning stood after an epoch; epoch 0 is before the first batch.

    loss: mean over the epoch's batches, each before its update (at epoch 0: of the first batch).  accuracy: on the test
    data, or on the training data without any.  num_pulses: of single cells, since learning began.
    """

    epoch: int
    loss: float
    accuracy: float
    num_pulses: int


@saved
@dataclass(frozen=True)
class OnChipResult(Artefact):
    """What came of learning in cells.

    curve: one point for every epoch.  settled: accuracy once the cells had settled.  losses: of every batch, float32.
    pulses: by layer, int32 counts of what learning spent, what rules try out on the cells first included, [array, cell
    of the pair, output, input].  weights: by layer, as last read back, [output, input].  start_pulses: spent before, to
    write the first weights.  num_reads: of single cells.  num_mvms: products of vectors with tiles.
    network: the network on its chips; it is not saved.
    """

    system: str
    config: OnChipConfig
    curve: tuple[LearningPoint, ...]
    settled: float
    losses: torch.Tensor = field(repr=False)
    pulses: Mapping[str, torch.Tensor] = field(repr=False)
    weights: Mapping[str, torch.Tensor] = field(repr=False)
    start_pulses: int
    num_reads: int
    num_mvms: int
    network: OnChipNetwork | None = field(default=None, repr=False, compare=False)

    @property
    def accuracy(self) -> float:
        """After the last epoch, before the cells settled."""
        return self.curve[-1].accuracy

    @property
    def num_cells(self) -> int:
        return sum(counts.numel() for counts in self.pulses.values())

    @property
    def num_pulses(self) -> int:
        """Of single cells, all together."""
        return sum(int(counts.sum()) for counts in self.pulses.values())

    @property
    def pulses_per_cell(self) -> float:
        """On average."""
        return self.num_pulses / self.num_cells

    @property
    def most_pulses(self) -> int:
        """Of the cell that was pulsed most."""
        return max(int(counts.max()) for counts in self.pulses.values())

    def summary(self) -> str:
        """Accuracy before, after, and settled; pulses and reads."""
        first, last = self.curve[0], self.curve[-1]
        return (
            f"OnChipResult: {self.config.rule.kind} on {self.system}, {last.epoch} epochs, accuracy "
            f"{first.accuracy:.1%} to {last.accuracy:.1%}, settled {self.settled:.1%}; {self.num_cells:,} cells, "
            f"{self.pulses_per_cell:.1f} pulses per cell (most: {self.most_pulses}), {self.num_reads:,} reads of "
            f"cells, {self.num_mvms:,} MVMs"
        )

    def table(self) -> str:
        """The learning curve, a line for every epoch."""
        head = f"{'epoch':>5} {'loss':>8} {'accuracy':>9} {'pulses per cell':>16}"
        lines = [
            f"{point.epoch:>5} {point.loss:>8.4f} {point.accuracy:>9.1%} {point.num_pulses / self.num_cells:>16.2f}"
            for point in self.curve
        ]
        return "\n".join([head, *lines])

    def to_saved(self) -> Any:
        """All but the chips: save those by themselves, where they can be."""
        return replace(self, network=None)
