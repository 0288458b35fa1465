"""Noise of sums, of the kind that was measured."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator

from crossloom.training.effects.conversion import Conversion
from crossloom.training.effects.effect import SumEffect

Sigma = Annotated[float, Field(ge=0)]


class OutputNoise(SumEffect):
    """Every conversion is off by a Gaussian of `sigma` codes, or of that of its layer by name.

    Stochastic-noise-aware training after ReSNA (Yang et al., arXiv 2109.05437): noise of the kind that the chips
    make is injected in every layer while training, so batch norm, in training mode, takes its statistics from noisy
    activations, as the network will meet them. `measure_output_noise` measures the numbers on chips. Where
    converters are ideal, sums are in levels, and so is sigma.
    """

    kind: Literal["output_noise"] = "output_noise"
    sigma: Sigma = 0.0
    layers: dict[str, Sigma] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _there_is_noise(self) -> Self:
        if not self.sigma and not any(self.layers.values()):
            raise ValueError("need sigma > 0, or layers with a sigma above 0; got no noise at all")
        return self

    def with_share(self, share: float) -> Self:
        layers = {name: sigma * share for name, sigma in self.layers.items()}
        return self.replace(sigma=self.sigma * share, layers=layers)

    @torch.no_grad()
    def on_sums(self, sums: torch.Tensor, conversion: Conversion) -> torch.Tensor:
        sigma = self.layers.get(conversion.layer, self.sigma)
        if sigma == 0:
            return sums
        return sums.add_(torch.randn_like(sums), alpha=sigma * conversion.noise_factor())
