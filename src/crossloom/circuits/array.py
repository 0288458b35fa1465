"""What a region of a crossbar multiplies by, as its converters see it."""

from dataclasses import dataclass

import torch

from crossloom.circuits.wires import Reach
from crossloom.hardware import Wiring


@dataclass(frozen=True)
class WiredNoise:
    """Read noise of cells behind wires: to first order a column's current I = sum_i x_i g_i is uncertain by

        sum_i (noise_i arriving_i (x_i own_i - lift_i I))^2,

    since current out of a column lifts its bit line, and so lowers the voltage across every cell on it.

    power: S^2, and cross: S, [row, column], are the parts that go with x_i^2 and with -2 x_i I; square: [column], that
    with I^2.
    """

    power: torch.Tensor
    cross: torch.Tensor
    square: torch.Tensor

    @classmethod
    def of(cls, noise: torch.Tensor, reach: Reach) -> "WiredNoise":
        """Of cells with this noise, S, [row, column]."""
        arriving = (noise * reach.arriving).square()
        cross = arriving * reach.own * reach.lift
        return cls(arriving * reach.own.square(), cross, (arriving * reach.lift.square()).sum(0))

    def part(self, rows: slice, columns: slice) -> "WiredNoise":
        """Of some of the rows, the others being at 0 V, and some of the columns."""
        return WiredNoise(self.power[rows, columns], self.cross[rows, columns], self.square[columns])


@dataclass(frozen=True)
class Lift:
    """What lifted bit lines change in the variance of every column: I (I square - 2 sum_i x_i cross_i).

    currents: I for one input step, levels, and cross, levels: [input, column].  square: [column].  columns_per_output:
    columns whose noise meets in one converter.
    """

    currents: torch.Tensor
    cross: torch.Tensor
    square: torch.Tensor
    columns_per_output: int


@dataclass(frozen=True)
class EffectiveArray:
    """A region in units of levels: S = sum_i x_i * matrix[i, j] of an input vector x.

    matrix: [input, output].  variance: of one read of each entry, the same shape; None when reads are exact.
    lift: what wires change in the variance beyond that; None for nothing.
    """

    matrix: torch.Tensor
    variance: torch.Tensor | None = None
    lift: Lift | None = None


def effective_array(
    conductance: torch.Tensor,
    read_noise: torch.Tensor | WiredNoise | None,
    wiring: Wiring,
    level_step: float,
) -> EffectiveArray:
    """Fold pairs and row copies of `conductance` (S, [row, column]) into what inputs and converters meet.

    Independent noise of cells adds in variance, whatever the sign with which the cell counts. read_noise: S, [row,
    column], or what wires make of it.
    """
    matrix = _fold(conductance, wiring, -1.0) / level_step
    if read_noise is None:
        return EffectiveArray(matrix)
    if isinstance(read_noise, torch.Tensor):
        return EffectiveArray(matrix, _fold(read_noise.square(), wiring, 1.0) / level_step**2)
    lift = Lift(
        _fold_rows(conductance, wiring, -1.0) / level_step,
        _fold_rows(read_noise.cross, wiring, -1.0) / level_step,
        read_noise.square,
        wiring.columns_per_output,
    )
    return EffectiveArray(matrix, _fold(read_noise.power, wiring, 1.0) / level_step**2, lift)


def side_by_side(arrays: list[EffectiveArray]) -> EffectiveArray:
    """Regions that share their inputs as one."""
    if len(arrays) == 1:
        return arrays[0]
    variances = [array.variance for array in arrays if array.variance is not None]
    lifts = [array.lift for array in arrays if array.lift is not None]
    lift = None
    if lifts:
        lift = Lift(
            torch.cat([one.currents for one in lifts], 1),
            torch.cat([one.cross for one in lifts], 1),
            torch.cat([one.square for one in lifts]),
            lifts[0].columns_per_output,
        )
    matrix = torch.cat([array.matrix for array in arrays], 1)
    return EffectiveArray(matrix, torch.cat(variances, 1) if variances else None, lift)


def _fold(cells: torch.Tensor, wiring: Wiring, sign: float) -> torch.Tensor:
    if wiring.pairing == "columns":
        cells = cells[:, 0::2] + sign * cells[:, 1::2]
    return _fold_rows(cells, wiring, sign)


def _fold_rows(cells: torch.Tensor, wiring: Wiring, sign: float) -> torch.Tensor:
    num_inputs = len(cells) // wiring.rows_per_input
    if wiring.pairing == "rows":
        cells = cells[0::2] + sign * cells[1::2]
    return cells.reshape(num_inputs, wiring.row_copies, cells.shape[1]).sum(1)
