"""Updates in place: the outer product goes straight to the cells that multiply, rounded at random."""

from collections.abc import Sequence
from typing import Literal

import torch

from crossloom.artefacts import saved
from crossloom.training.on_chip.array import LearningArray
from crossloom.training.on_chip.outer import coincidences, outer_product, round_at_random
from crossloom.training.on_chip.rules.rule import Count, Learner, Positive, UpdateRule, granularity_of


class PulsedUpdate:
    """Adds -learning_rate * gradient to the weights of an array by pulses, right on average.

    num_slots: None rounds the batch's outer product at random; a number draws that many slots of pulses on input and
    output lines for every vector, and counts their coincidences, up first and then down.
    """

    def __init__(
        self,
        array: LearningArray,
        learning_rate: float,
        granularity: float,
        num_slots: int | None,
        max_pulses: int,
        generator: torch.Generator,
    ) -> None:
        self._array, self._max_pulses, self._num_slots = array, max_pulses, num_slots
        self._steps_per_unit, self._generator = learning_rate / granularity, generator

    def __call__(self, inputs: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
        """Pulse the cells; the steps asked of the weights, [output, input]."""
        if self._num_slots is None:
            wanted = outer_product(inputs, errors) * -self._steps_per_unit
            steps = round_at_random(wanted, self._generator).clamp_(-self._max_pulses, self._max_pulses)
            self._array.pulse(steps)
            return steps
        found = coincidences(inputs, errors, self._steps_per_unit, self._num_slots, self._generator)
        up, down = (counts.clamp(max=self._max_pulses) for counts in found)
        self._array.pulse(up)
        self._array.pulse(-down)
        return up - down


@saved
class InPlace(UpdateRule):
    """Stochastic gradient descent in the cells themselves: the plain rule that the others improve upon.

    num_slots: None, or the length of stochastic pulse trains (Gokmen and Vlasov, Front. Neurosci. 10, 333 (2016)).
    granularity: change of a weight by one step; None to measure it.  max_pulses: each way, in one update.
    """

    kind: Literal["in_place"] = "in_place"
    learning_rate: Positive = 0.1
    granularity: Positive | None = None
    num_slots: Count | None = None
    max_pulses: Count = 10

    def start(self, arrays: Sequence[LearningArray], generator: torch.Generator) -> Learner:
        granularity = granularity_of(arrays[0], self.granularity)
        update = PulsedUpdate(
            arrays[0], self.learning_rate, granularity, self.num_slots, self.max_pulses, generator
        )
        return _InPlaceLearner(update)


class _InPlaceLearner(Learner):
    def __init__(self, update: PulsedUpdate) -> None:
        self._update = update

    def update(self, inputs: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
        return self._update(inputs, errors)
