"""What the cells of a layer hold, read back as weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from crossloom.circuits import effective_array
from crossloom.graph import Matrix
from crossloom.hardware import Backend, Wiring
from crossloom.placement import Placement
from crossloom.programming import LayerCorrection, region_of


@dataclass(frozen=True)
class ReadBack:
    """weight: float32 [out, ...], in units of the layer's integers.  cells: S, [row, column], by number of tile."""

    weight: torch.Tensor = field(repr=False)
    cells: Mapping[int, torch.Tensor] = field(repr=False)


def read_back(
    placement: Placement, node: Matrix, backend: Backend, correction: LayerCorrection, num_reads: int = 1
) -> ReadBack:
    """Read all cells of a layer, `num_reads` times, and decode their mean."""
    mapped = placement.mapped
    scheme, layer = mapped.schemes[node.name], mapped.quantized.layers[node.name]
    rows = layer.weight[0].numel() * node.groups
    whole = torch.zeros(rows, len(layer.weight), dtype=torch.float64)
    wiring, cells = Wiring(scheme.pairing, scheme.row_copies), {}
    for number in mapped.tiles_of[node.name]:
        tile = mapped.tiles[number]
        place = (placement.sites[number].address, region_of(placement, number))
        reads = [backend.read(*place).cpu().double() for _ in range(num_reads)]
        cells[number] = reads[0] if num_reads == 1 else torch.stack(reads).mean(0)
        levels = effective_array(cells[number], None, wiring, scheme.level_step).matrix.double()
        block = scheme.decode(levels / scheme.row_copies)
        gain = correction.of(number).gain
        block = block if gain is None else block * gain.cpu()
        start, stop, first, last = tile.block
        whole[start:stop, first:last] += block / scheme.copies
    return ReadBack(_rows_of(whole, layer.weight, node.groups), cells)


def _rows_of(whole: torch.Tensor, weight: torch.Tensor, groups: int) -> torch.Tensor:
    """The layer's own weight, of the whole matrix [input, output] that is block-diagonal in its groups."""
    num_outputs, in_group = len(weight), weight[0].numel()
    group = torch.arange(num_outputs) // (num_outputs // groups)
    inputs = group.unsqueeze(1) * in_group + torch.arange(in_group)
    return whole.T.gather(1, inputs).float().view(weight.shape)
