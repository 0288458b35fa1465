"""Updates by sign: one pulse where the gradient is large enough."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field

from crossloom.artefacts import saved
from crossloom.training.on_chip.array import LearningArray
from crossloom.training.on_chip.outer import outer_product
from crossloom.training.on_chip.rules.rule import Learner, Positive, UpdateRule


@saved
class SignUpdate(UpdateRule):
    """One pulse of every cell whose weight's gradient, over the batch, exceeds `threshold` in magnitude; by its sign.

    After the sign- and threshold-based learning of STELLAR (Zhang et al., Science 381, 1205 (2023),
    10.1126/science.ade3483), where w = g+ - g- in two cells of 2...20 uS and nothing is verified. Thresholds are a
    choice here: none is taken from that chip, and gradients are not first cut to signs of inputs and errors.

    threshold: in units of the gradient (loss per weight).  width: of a pulse, s; None for the nominal one.
    """

    kind: Literal["sign"] = "sign"
    threshold: Annotated[float, Field(ge=0)] = 2e-3
    width: Positive | None = None

    def start(self, arrays: Sequence[LearningArray], generator: torch.Generator) -> Learner:
        return _SignLearner(self, arrays[0])


class _SignLearner(Learner):
    def __init__(self, rule: SignUpdate, array: LearningArray) -> None:
        self._rule, self._array = rule, array

    def update(self, inputs: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
        gradient = outer_product(inputs, errors)
        steps = -gradient.sign() * (gradient.abs() > self._rule.threshold)
        self._array.pulse(steps, self._rule.width)
        return steps
