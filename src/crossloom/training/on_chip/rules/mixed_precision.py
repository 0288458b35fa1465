"""Mixed precision: gradients add up in a digital accumulator, and whole steps of it go to the cells."""

from collections.abc import Sequence
from typing import Literal

import torch

from crossloom.artefacts import saved
from crossloom.training.on_chip.array import LearningArray
from crossloom.training.on_chip.outer import outer_product
from crossloom.training.on_chip.rules.rule import Count, Learner, Positive, UpdateRule, granularity_of


@saved
class MixedPrecision(UpdateRule):
    """An accumulator chi takes every update -learning_rate * gradient; where |chi| has reached the granularity e of the
    cells, floor(|chi| / e) pulses are applied, blindly, and taken off chi.

    Of Nandakumar et al., Front. Neurosci. 14, 406 (2020), 10.3389/fnins.2020.00406.

    granularity: change of a weight by one step; None to measure it on the cells.  max_pulses: in one update; what is
    beyond stays in chi.
    """

    kind: Literal["mixed_precision"] = "mixed_precision"
    learning_rate: Positive = 0.1
    granularity: Positive | None = None
    max_pulses: Count = 10

    def start(self, arrays: Sequence[LearningArray], generator: torch.Generator) -> "MixedPrecisionLearner":
        return MixedPrecisionLearner(self, arrays[0], granularity_of(arrays[0], self.granularity))


class MixedPrecisionLearner(Learner):
    """chi: what is still owed to the weights, float64, [output, input]."""

    def __init__(self, rule: MixedPrecision, array: LearningArray, granularity: float) -> None:
        self._rule, self._array, self.granularity = rule, array, granularity
        self.chi = torch.zeros(array.shape, dtype=torch.float64)

    def update(self, inputs: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
        self.chi -= self._rule.learning_rate * outer_product(inputs, errors).double()
        most = self._rule.max_pulses
        steps = (self.chi / self.granularity).trunc_().clamp_(-most, most)
        self.chi -= steps * self.granularity
        self._array.pulse(steps)
        return steps
