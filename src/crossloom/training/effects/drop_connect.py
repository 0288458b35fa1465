"""Weights that are absent for one pass."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field

from crossloom.training.effects.effect import MatrixEffect


class DropConnect(MatrixEffect):
    """Every weight is absent, a zero, with this probability; those that are left are not scaled up.

    Wan et al., Regularization of neural networks using DropConnect, ICML 2013; there the mean of the sums is kept by
    another step. Here an absent weight stands for cells that do not conduct, and a chip makes up for none of them.
    Weights that are absent have no gradient in this pass.
    """

    kind: Literal["drop_connect"] = "drop_connect"
    probability: Annotated[float, Field(gt=0, lt=1)]

    def with_share(self, share: float) -> Self:
        return self.replace(probability=self.probability * share)

    def on_matrix(self, matrix: torch.Tensor, largest: int) -> torch.Tensor:
        drawn = torch.rand_like(matrix, requires_grad=False)
        return matrix * (drawn >= self.probability)
