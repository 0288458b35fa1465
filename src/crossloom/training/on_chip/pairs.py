"""Signed weights as pairs of cells: where the cells of a pair lie, and which conductances stand for a weight."""

from dataclasses import dataclass

import torch

from crossloom.hardware import Wiring
from crossloom.spec import CellSpec, Pairing


@dataclass(frozen=True)
class PairLayout:
    """Pairs [cell of the pair, output, input] as they lie in a crossbar, [row, column].

    The cells of a pair are neighbours: in two rows where the macro drives the second one negated, else in two columns,
    which the macro subtracts before its converter ("columns") or the digital unit behind it ("none").
    """

    pairing: Pairing

    @property
    def wiring(self) -> Wiring:
        return Wiring(self.pairing)

    @property
    def rows_per_input(self) -> int:
        return 2 if self.pairing == "rows" else 1

    @property
    def columns_per_output(self) -> int:
        return 1 if self.pairing == "rows" else 2

    def lay(self, pairs: torch.Tensor) -> torch.Tensor:
        """[cell of the pair, output, input] to [row, column]."""
        if self.pairing == "rows":
            return pairs.permute(2, 0, 1).flatten(0, 1)
        return pairs.permute(2, 1, 0).flatten(1)

    def lift(self, cells: torch.Tensor) -> torch.Tensor:
        """[row, column] to [cell of the pair, output, input]."""
        if self.pairing == "rows":
            return cells.unflatten(0, (-1, 2)).permute(1, 2, 0)
        return cells.unflatten(1, (-1, 2)).permute(2, 1, 0)

    def matrix(self, pairs: torch.Tensor) -> torch.Tensor:
        """What each converter sees of pairs [cell of the pair, output, input], S: [conversion, input]."""
        if self.pairing == "none":
            return pairs.transpose(0, 1).flatten(0, 1)
        return pairs[0] - pairs[1]

    def joined(self, sums: torch.Tensor) -> torch.Tensor:
        """Sums of outputs [vector, output] from those of conversions [vector, conversion]."""
        return sums[:, 0::2] - sums[:, 1::2] if self.pairing == "none" else sums


@dataclass(frozen=True)
class WeightScale:
    """w = (g+ - g-) / unit, with both cells as far from the middle of the window, on either side.

    unit: S for a weight of 1.  middle: S, both cells of a weight of 0.
    """

    unit: float
    middle: float

    @classmethod
    def for_range(cls, cell: CellSpec, weight_range: float) -> "WeightScale":
        """The scale at which a weight of magnitude `weight_range` takes the whole window."""
        return cls((cell.g_max - cell.g_min) / weight_range, (cell.g_max + cell.g_min) / 2)

    def pairs(self, weights: torch.Tensor) -> torch.Tensor:
        """Conductances (S, float64) of weights [output, input]: [cell of the pair, output, input]."""
        half = weights.double() * (self.unit / 2)
        return torch.stack([self.middle + half, self.middle - half])

    def weights(self, pairs: torch.Tensor) -> torch.Tensor:
        """Weights [output, input] of conductances [cell of the pair, output, input] in S."""
        return (pairs[0] - pairs[1]) / self.unit
