"""Gaussian error of weights relative to their range: the quick one."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field

from crossloom.training.effects.effect import MatrixEffect


class WeightNoise(MatrixEffect):
    """Every weight is off by a Gaussian of `sigma` times the range (largest less lowest) of the integer weights.

    Yu et al. 2025 train with sigma = 0.06 and draws clipped at 3: about 0.1 of the full conductance.
    """

    kind: Literal["weight_noise"] = "weight_noise"
    sigma: Annotated[float, Field(gt=0)]
    clip: Annotated[float, Field(gt=0)] | None = 3.0

    def with_share(self, share: float) -> Self:
        return self.replace(sigma=self.sigma * share)

    def on_matrix(self, matrix: torch.Tensor, largest: int) -> torch.Tensor:
        drawn = torch.randn_like(matrix, requires_grad=False)
        if self.clip is not None:
            drawn = drawn.clamp_(-self.clip, self.clip)
        return matrix + drawn.mul_(self.sigma * 2 * largest)
