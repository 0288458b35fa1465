"""What effects on sums know of the conversions that they disturb."""

from dataclasses import dataclass

import torch

from crossloom.circuits import Cycles, cycle_weights, expand
from crossloom.hardware import Codes, InputFormat, Wiring
from crossloom.spec import MacroSpec


@dataclass(frozen=True)
class Conversion:
    """What sums meet on their way into converters.

    cycles: what the drivers put on the rows, [vector * cycle, input, ...]; where converters are ideal, whole codes.
    matrix: [output, input], levels, with its error.  gain: codes per level, [] (float64); None where converters are
    ideal, and sums are in levels.  conductance: S, [row, column], of the cells behind the matrix and their wiring,
    level_step: S; None where no effect made cells.  groups: of the convolution.  layer: its name.  inputs: how codes
    become cycles; needed where converters are ideal, since cells make noise in every cycle.
    """

    cycles: Codes
    matrix: torch.Tensor
    gain: torch.Tensor | None
    macro: MacroSpec
    level_step: float
    groups: int = 1
    conductance: torch.Tensor | None = None
    wiring: Wiring | None = None
    layer: str = ""
    inputs: InputFormat | None = None

    @property
    def row_copies(self) -> int:
        return self.wiring.row_copies if self.wiring else 1

    def power(self) -> Codes:
        """Squares of what the rows carry in one conversion; of several cycles, with the squares of their weights."""
        if self.gain is not None or self.inputs is None:
            return self.cycles.with_values(self.cycles.values.square())
        expanded = expand(self.cycles, self.inputs, self.macro.dac)
        return expanded.codes.with_values(_joined(expanded))

    def noise_factor(self) -> float:
        """By how much noise of one conversion grows in a sum: over the cycles that ideal converters take together."""
        if self.gain is not None or self.inputs is None:
            return 1.0
        return cycle_weights(self.inputs, self.macro.dac).square().sum().sqrt().item()


def _joined(cycles: Cycles) -> torch.Tensor:
    values = cycles.codes.values.square().unflatten(0, (-1, cycles.num_cycles))
    weights = cycles.weights.square().to(values)
    return (values * weights.view(1, -1, *[1] * (values.dim() - 2))).sum(1)
