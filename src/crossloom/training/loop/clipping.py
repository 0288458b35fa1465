"""Weights held within bounds after every step, so that a few large ones do not stretch the range of all."""

from collections.abc import Iterable
from math import ceil
from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator, Field

from crossloom.spec import Config, by_kind


class Percentile(Config):
    """No magnitude above this percentile of its layer's. Wan et al. 2022 (NeuRRAM) clip at the 95th.

    To clip twice is to clip once: the percentile of clipped magnitudes is the bound itself.
    """

    kind: Literal["percentile"] = "percentile"
    percentile: Annotated[float, Field(gt=50, le=100)] = 95.0

    def bound(self, weight: torch.Tensor) -> torch.Tensor:
        """The largest magnitude, []: the smallest that at least `percentile` percent of all do not exceed."""
        # The k-th value takes a quarter of the time that sorting takes, and has no limit of size.
        magnitudes = weight.abs().flatten()
        return magnitudes.kthvalue(max(ceil(len(magnitudes) * self.percentile / 100), 1)).values


class Deviations(Config):
    """No magnitude above so many standard deviations of its layer's weights."""

    kind: Literal["deviations"] = "deviations"
    num_deviations: Annotated[float, Field(gt=0)] = 2.5

    def bound(self, weight: torch.Tensor) -> torch.Tensor:
        """The largest magnitude, []."""
        return weight.std(correction=0) * self.num_deviations


WeightClipping = Annotated[Percentile | Deviations, Field(discriminator="kind"), BeforeValidator(by_kind)]


@torch.no_grad()
def clip_weights(weights: Iterable[torch.Tensor], clipping: Percentile | Deviations) -> None:
    """Clamp every tensor, in place, to its own bound."""
    for weight in weights:
        bound = clipping.bound(weight)
        weight.clamp_(-bound, bound)
