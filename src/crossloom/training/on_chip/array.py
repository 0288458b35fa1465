"""A matrix in cells that learns: pulsed blindly, read back, never assumed; every pulse and every read is counted."""

from collections.abc import Sequence

import torch

from crossloom.errors import BackendError, ProgramError
from crossloom.hardware import Backend, Region
from crossloom.programming import Strategy
from crossloom.spec import PulseSpec
from crossloom.training.on_chip.pairs import PairLayout, WeightScale
from crossloom.training.on_chip.sites import LearningTile


class LearningArray:
    """The weights [output, input] of one layer as differential pairs of cells.

    One step of a weight is one pulse for each cell of its pair, the first up and the second down, or the other way
    round: cells whose pulses do less and less toward their bounds then move least, and alike, at weight zero.

    pairs: S, float64, [cell of the pair, output, input], what was last read.  pulses: int32, the same shape, counts.
    num_reads: of single cells.  start_pulses: spent by the strategy that wrote the first weights.
    """

    def __init__(
        self, backend: Backend, tiles: Sequence[LearningTile], layout: PairLayout, scale: WeightScale
    ) -> None:
        self.backend, self.tiles, self.layout, self.scale = backend, tuple(tiles), layout, scale
        self.shape = (max(tile.outputs.stop for tile in tiles), max(tile.inputs.stop for tile in tiles))
        self.response = _response(backend)
        self.pairs = torch.full((2, *self.shape), scale.middle, dtype=torch.float64)
        self.pulses = torch.zeros(2, *self.shape, dtype=torch.int32)
        self.num_reads, self.start_pulses = 0, 0

    def write(self, weights: torch.Tensor, strategy: Strategy) -> None:
        """Bring the cells to `weights` [output, input], once, before they learn."""
        cell = self.backend.spec.macro.cell
        targets = self.scale.pairs(weights).clamp_(cell.g_min, cell.g_max)
        for tile in self.tiles:
            block = self.layout.lay(targets[:, tile.outputs, tile.inputs]).contiguous()
            written = strategy.write(self.backend, tile.address, tile.region, block)
            self.start_pulses += int(written.pulses.sum())
            self.num_reads += (written.num_reads or 0) * tile.region.num_cells

    def read(self) -> torch.Tensor:
        """Measure all cells: weights [output, input], float32. BackendError when what comes is no number."""
        return self.read_inputs(0, self.shape[1])

    def read_inputs(self, start: int, stop: int) -> torch.Tensor:
        """Measure the cells of the inputs `start` to `stop`: their weights [output, input], float32."""
        for tile in self.tiles:
            first, last = max(start, tile.inputs.start), min(stop, tile.inputs.stop)
            if first < last:
                cells = self._measure(tile, first - tile.inputs.start, last - tile.inputs.start)
                self.pairs[:, tile.outputs, first:last] = self.layout.lift(cells)
        return self.scale.weights(self.pairs[:, :, start:stop]).float()

    def pulse(self, steps: torch.Tensor, width: float | None = None) -> None:
        """Move weights by so many `steps` (whole numbers, signed, [output, input]), one pulse after the other.

        width: of a pulse, s; None for the nominal one.
        """
        sizes, signs = steps.abs(), steps.sign()
        for number in range(int(sizes.max()) if sizes.numel() else 0):
            self._pulse_once(torch.where(sizes > number, signs, 0), width or self.response.width)

    def measure_granularity(self) -> float:
        """How far one step moves a weight, from a step up and a step down of all of them: the mean of both.

        ProgramError when they do not move.
        """
        ones = torch.ones(self.shape)
        before = self.read()
        self.pulse(ones)
        above = self.read()
        self.pulse(-ones)
        granularity = (2 * above - before - self.read()).double().mean().item() / 2
        if not granularity > 0:
            raise ProgramError(
                f"a pulse moves these weights by {granularity:.3g} on average; check the cells' pulses, or give "
                "granularity"
            )
        return granularity

    def _pulse_once(self, signs: torch.Tensor, width: float) -> None:
        pairs = torch.stack([signs, -signs]).double() * width
        for tile in self.tiles:
            block = pairs[:, tile.outputs, tile.inputs]
            if block.any():
                self.backend.pulse(tile.address, tile.region, self.layout.lay(block).contiguous())
        self.pulses += pairs != 0

    def _measure(self, tile: LearningTile, start: int, stop: int) -> torch.Tensor:
        """The cells (S, [row, column]) of some of a tile's inputs, counted from its first."""
        per_input, whole = self.layout.rows_per_input, tile.region
        region = Region(
            whole.row + start * per_input, whole.column, (stop - start) * per_input, whole.num_columns
        )
        cells = self.backend.read(tile.address, region).to("cpu", torch.float64)
        if not torch.isfinite(cells.sum()):  # one pass; any NaN or infinity comes through a sum
            raise BackendError(f"{tile.address} reads conductances that are no numbers; check its read path")
        self.num_reads += region.num_cells
        return cells


def _response(backend: Backend) -> PulseSpec:
    response = backend.spec.macro.cell.pulse
    if response is None:
        raise ProgramError(
            f"{backend.spec.name} does not say how its cells answer to pulses, so they cannot learn; give cell.pulse"
        )
    return response
