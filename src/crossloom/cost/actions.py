"""What one layer makes its macros, links and digital unit do: every action, per sample."""

from dataclasses import dataclass

import torch

from crossloom.cost.cells import CellReads, read_cells
from crossloom.cost.clock import Clock, make_clock
from crossloom.cost.table import Action, ComponentTable
from crossloom.placement import Placement, Step
from crossloom.programming import LayerCorrection
from crossloom.runtime import ActionCounts, LayerActivity, input_format

SUM_BITS = 32
"""Bits of a sum that a macro gives, as the schedule counts what crosses a link."""


@dataclass(frozen=True)
class LayerActions:
    """What a layer does for one sample: how often each action, and what its cells are driven with."""

    layer: str
    counts: dict[Action, float]
    cells: CellReads


@dataclass(frozen=True)
class LayerWork:
    """A mapped layer of a placement, and what it was driven with.

    counts, activity: over `num_samples` samples, with every tile taking every vector.  conductances: S, [row, column],
    by the number of the tile.  share: of the vectors that each copy takes, 1 where all take all.
    """

    placement: Placement
    layer: str
    counts: ActionCounts
    activity: LayerActivity
    num_samples: int
    conductances: dict[int, torch.Tensor]
    correction: LayerCorrection
    share: float = 1.0

    @property
    def tiles(self) -> tuple[int, ...]:
        return self.placement.mapped.tiles_of[self.layer]

    @property
    def num_vectors(self) -> float:
        """Input vectors per sample."""
        return self.counts.num_mvms / len(self.tiles) / self.num_samples

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the schedule that are this layer's."""
        return tuple(step for step in self.placement.schedule if step.layer == self.layer)

    def link_bits(self, step: Step) -> tuple[float, float]:
        """Bits per sample over the link of a step's chip: to it, and from it.

        Copies on one chip take the same inputs once, whether all take all of them or each its share.
        """
        tiles = [self.placement.mapped.tiles[number] for number in step.tiles]
        spans = {(tile.input_start, tile.input_stop) for tile in tiles}
        copied = {(tile.input_start, tile.input_stop, tile.copy) for tile in tiles}
        once, each = (sum(span[1] - span[0] for span in found) for found in (spans, copied))
        return 8 * step.bytes_in * min(self.share * each / once, 1.0), 8 * step.bytes_out * self.share

    def integration_time(self, tile: int) -> float:
        """The readout's register for a tile."""
        return self.correction.of(tile).integration_time or self.placement.mapped.tiles[tile].integration_time


def layer_clock(placement: Placement, layer: str, table: ComponentTable) -> Clock:
    """The clock of a mapped layer."""
    return make_clock(placement.system.macro, table, input_format(placement, layer))


def layer_actions(work: LayerWork, table: ComponentTable) -> LayerActions:
    """Count what a layer does for one sample."""
    placement, counts = work.placement, work.counts
    clock = layer_clock(placement, work.layer, table)
    each = work.share / work.num_samples
    repeats, conversions = (
        clock.num_integrations / clock.num_cycles,
        clock.num_conversions / clock.num_cycles,
    )
    found: dict[Action, float] = {
        "drive": _drives(work) * repeats * each,
        "row_integration": counts.num_row_drives * repeats * each,
        "column_integration": counts.num_conversions * repeats * each,
        "conversion": counts.num_conversions * conversions * each,
        "cycle": counts.num_cycles * each,
        "mvm": counts.num_mvms * each,
        "link_bit": sum(sum(work.link_bits(step)) for step in work.steps),
        **_buffered(work),
        "operation": sum_operations(work),
    }
    return LayerActions(work.layer, found, read_cells(work, table, clock))


def sum_operations(work: LayerWork) -> float:
    """What the digital unit does with a layer's sums: every tile's is scaled and added, then comes the bias."""
    mapped = work.placement.mapped
    sums = sum(mapped.tiles[number].output_stop - mapped.tiles[number].output_start for number in work.tiles)
    outputs = len(mapped.quantized.layers[work.layer].weight)
    return work.num_vectors * (2 * sums * work.share + outputs)


def _drives(work: LayerWork) -> float:
    """Pulses on rows, over all samples."""
    mapped = work.placement.mapped
    rows = mapped.schemes[work.layer].rows_per_input
    tiles = [mapped.tiles[number] for number in work.tiles]
    per_tile = (work.activity.drives[tile.input_start : tile.input_stop].sum().item() for tile in tiles)
    return rows * sum(per_tile)


def _buffered(work: LayerWork) -> dict[Action, float]:
    """Bits that macros take from buffers and give to them."""
    mapped = work.placement.mapped
    tiles = [mapped.tiles[number] for number in work.tiles]
    bits, vectors = mapped.quantized.layers[work.layer].input_bits, work.num_vectors * work.share
    return {
        "input_bit": vectors * bits * sum(tile.input_stop - tile.input_start for tile in tiles),
        "output_bit": vectors * SUM_BITS * sum(tile.output_stop - tile.output_start for tile in tiles),
    }
