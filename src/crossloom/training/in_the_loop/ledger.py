"""What tuning spends: writes of cells, pulses, reads."""

from collections import Counter

import torch

from crossloom.graph import Matrix
from crossloom.hardware import Backend
from crossloom.placement import Placement
from crossloom.programming import LayerCorrection
from crossloom.training.in_the_loop.reading import ReadBack, read_back
from crossloom.training.in_the_loop.rewriting import Rewritten


class Ledger:
    """Counts by tile and layer, while a session lasts."""

    def __init__(self) -> None:
        self.writes: dict[int, torch.Tensor] = {}
        self.pulses: Counter[str] = Counter()
        self.num_reads = 0

    def note(self, done: Rewritten) -> None:
        """A rewriting."""
        for tile in done.plan.tiles:
            before = self.writes.get(tile.tile)
            written = tile.selected.to(torch.int32).cpu()
            self.writes[tile.tile] = written if before is None else before + written
        self.pulses.update(done.pulses)
        self.num_reads += done.num_reads

    def read(
        self,
        placement: Placement,
        node: Matrix,
        backend: Backend,
        correction: LayerCorrection,
        num_reads: int,
    ) -> ReadBack:
        """Read a layer back, and count it."""
        found = read_back(placement, node, backend, correction, num_reads)
        self.num_reads += num_reads * sum(cells.numel() for cells in found.cells.values())
        return found
