"""How the learning rate goes over the epochs: factors of the optimiser's own rate.

Every schedule is a function of the epoch alone, counted from 0 with its fraction, so that a resumed training needs
to know nothing of what came before. Each has a linear warm-up over its first epochs (Goyal et al. 2017, "Accurate,
large minibatch SGD", section 2.2).
"""

from math import cos, pi
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from crossloom.spec import Config, by_kind

Epochs = Annotated[float, Field(ge=0)]
Factor = Annotated[float, Field(ge=0, le=1)]


class Constant(Config):
    """The same rate throughout. warm_up: epochs of linear rise from zero."""

    kind: Literal["constant"] = "constant"
    warm_up: Epochs = 0.0

    def factor(self, epoch: float, epochs: int) -> float:
        """Of the optimiser's rate, at `epoch` of `epochs`.

        >>> Constant(warm_up=2).factor(0.5, 10), Constant().factor(0.5, 10)
        (0.25, 1.0)
        """
        return _risen(epoch, self.warm_up)


class Steps(Config):
    """Times `decay` at each of the epochs `at`. He et al. 2015 (section 4.2): a tenth, after 32,000 and 48,000 steps.

    warm_up: epochs of linear rise from zero.
    """

    kind: Literal["steps"] = "steps"
    at: Annotated[tuple[Epochs, ...], Field(min_length=1)]
    decay: Annotated[float, Field(gt=0, lt=1)] = 0.1
    warm_up: Epochs = 0.0

    def factor(self, epoch: float, epochs: int) -> float:
        """Of the optimiser's rate, at `epoch` of `epochs`.

        >>> [Steps(at=(2, 3), decay=0.5).factor(epoch, 4) for epoch in (1.9, 2.0, 3.5)]
        [1.0, 0.5, 0.25]
        """
        return _risen(epoch, self.warm_up) * self.decay ** sum(epoch >= start for start in self.at)


class Cosine(Config):
    """Half a cosine from the full rate to `final` of it, after the warm-up (Loshchilov and Hutter 2017, equation 5,
    without restarts). warm_up: epochs of linear rise from zero."""

    kind: Literal["cosine"] = "cosine"
    final: Factor = 0.0
    warm_up: Epochs = 0.0

    def factor(self, epoch: float, epochs: int) -> float:
        """Of the optimiser's rate, at `epoch` of `epochs`.

        >>> [round(Cosine().factor(epoch, 4), 3) for epoch in (0, 2, 4)]
        [1.0, 0.5, 0.0]
        """
        if epoch < self.warm_up:
            return _risen(epoch, self.warm_up)
        gone = min((epoch - self.warm_up) / (epochs - self.warm_up), 1.0)
        return self.final + (1 - self.final) * (1 + cos(pi * gone)) / 2


Schedule = Annotated[Constant | Steps | Cosine, Field(discriminator="kind"), BeforeValidator(by_kind)]


def _risen(epoch: float, warm_up: float) -> float:
    return min(epoch / warm_up, 1.0) if warm_up else 1.0
