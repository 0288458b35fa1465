"""What a region of a crossbar multiplies by, as its converters see it."""

from dataclasses import dataclass

import torch

from crossloom.hardware import Wiring


@dataclass(frozen=True)
class EffectiveArray:
    """A region in units of levels: S = sum_i x_i * matrix[i, j] of an input vector x.

    matrix: [input, output].  variance: of one read of each entry, the same shape; None when reads are exact.
    """

    matrix: torch.Tensor
    variance: torch.Tensor | None = None


def effective_array(
    conductance: torch.Tensor,
    read_noise: torch.Tensor | None,
    wiring: Wiring,
    level_step: float,
) -> EffectiveArray:
    """Fold pairs and row copies of `conductance` (S, [row, column]) into what inputs and converters meet.

    Independent noise of cells adds in variance, whatever the sign with which the cell counts.
    """
    matrix = _fold(conductance, wiring, -1.0) / level_step
    if read_noise is None:
        return EffectiveArray(matrix)
    return EffectiveArray(matrix, _fold(read_noise.square(), wiring, 1.0) / level_step**2)


def _fold(cells: torch.Tensor, wiring: Wiring, sign: float) -> torch.Tensor:
    num_rows, num_columns = cells.shape
    if wiring.pairing == "columns":
        cells = cells[:, 0::2] + sign * cells[:, 1::2]
    elif wiring.pairing == "rows":
        cells = cells[0::2] + sign * cells[1::2]
    num_inputs = num_rows // wiring.rows_per_input
    num_outputs = num_columns // wiring.columns_per_output
    return cells.reshape(num_inputs, wiring.row_copies, num_outputs).sum(1)
