"""What an update rule is: a frozen choice that starts a learner, which turns inputs and errors into pulses."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from crossloom.spec import Config
from crossloom.training.on_chip.array import LearningArray

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Learner(ABC):
    """A rule at work on one layer: it remembers what the rule has to, and pulses the layer's cells."""

    @abstractmethod
    def update(self, inputs: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
        """Learn from one batch: inputs [vector, input], and errors [vector, output], which are the loss's gradient.

        Gives the steps asked of the weights that multiply, whole numbers, signed, [output, input].
        """


class UpdateRule(Config, ABC):
    """How gradients become pulses. num_arrays: how many arrays of a layer's size it needs; the first one multiplies."""

    num_arrays: ClassVar[int] = 1

    @abstractmethod
    def start(self, arrays: Sequence[LearningArray], generator: torch.Generator) -> Learner:
        """A learner for the arrays of one layer. It may pulse them, to find out what a pulse does."""


def granularity_of(array: LearningArray, given: float | None) -> float:
    """How far one step moves a weight: what was given, or what a step of every weight shows."""
    return array.measure_granularity() if given is None else given
