"""How the noise of cells reaches the ends of their columns."""

from dataclasses import dataclass

import torch

from crossloom.circuits.wires.elimination import eliminate
from crossloom.circuits.wires.segments import Segments


@dataclass(frozen=True)
class Reach:
    """What ties every cell to the ends of its lines, [row, column].

    effective: the matrix by which the crossbar multiplies, S.  own: voltage across the cell with one
    volt on its word line, all others at 0 V and its bit line not lifted.
    arriving: share of what a cell adds to its current that arrives at the end of its bit line.  lift: by how much
    current out of the column (A) lowers the voltage across the cell (V), ohm, when all rows share in it.
    """

    effective: torch.Tensor
    own: torch.Tensor
    arriving: torch.Tensor
    lift: torch.Tensor


def reach(conductance: torch.Tensor, ends: Segments) -> Reach:
    """Of ohmic cells [row, column], S; two sweeps back from the ends to the cells, and one solve."""
    if ends.is_zero or not ends.is_connected:
        same = torch.full_like(conductance, float(ends.is_zero))
        return Reach(conductance * same, same, same, torch.zeros_like(conductance))
    eliminated = eliminate(conductance.unsqueeze(0), ends, keep=True)
    effective = eliminated.transfer.squeeze(0)
    all_rows = conductance.new_ones(1, len(conductance), 1)
    lifted = eliminated.cell_states(all_rows).bit_line[0, ..., 0]
    lift = lifted / effective.sum(0).clamp(min=torch.finfo(effective.dtype).tiny)
    own = eliminated.own_voltage(1).squeeze(0) + lift * effective
    return Reach(effective, own, -eliminated.own_voltage(2).squeeze(0), lift)
