"""Relaxation: cells move away from where they were written, each to its own side."""

from dataclasses import dataclass
from itertools import pairwise
from math import log

import torch

from crossloom.devices.effect import Effect, Own, normal
from crossloom.spec import LogarithmicRelaxationSpec, RelaxationSpec, Spread, TabulatedRelaxationSpec


@dataclass(frozen=True)
class Relaxation(Effect):
    """g + shift(t) + spread(t) z: z is drawn once for each cell when it is written, so time composes exactly.

    `programming_error` is what a total spread (`is_total`) already holds.
    """

    spec: RelaxationSpec
    programming_error: Spread | None

    def new(self, shape: tuple[int, int], generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"relaxation": torch.zeros(shape, device=generator.device)}

    def written(self, own: Own, which: torch.Tensor, generator: torch.Generator) -> Own:
        drawn = normal(which, generator)
        return {"relaxation": torch.where(which, drawn, own["relaxation"])}

    def seen(self, conductance: torch.Tensor, own: Own) -> torch.Tensor:
        if not own["aged"].any():  # as right after `set`: nothing to work out
            return conductance
        shift, spread = self.moments(own["aim"], own["aged"])
        return conductance + shift + spread * own["relaxation"]

    def moments(self, aim: torch.Tensor, age: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean shift and standard deviation (S) that time adds to cells written to `aim` S, `age` s ago."""
        if isinstance(self.spec, LogarithmicRelaxationSpec):
            return _logarithmic(self.spec, age)
        shift, spread = _tabulated(self.spec, aim, age)
        if self.spec.is_total and self.programming_error is not None:
            error = self.programming_error.at(aim)
            spread = (spread.square() - error.square()).clamp(min=0).sqrt()
        return shift, spread


def _logarithmic(spec: LogarithmicRelaxationSpec, age: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    shift = spec.shift_slope * age.clamp(min=1).log()
    if spec.spread_slope == 0:
        return shift, torch.full_like(age, spec.spread).masked_fill(age == 0, 0.0)
    return shift, (spec.spread_slope * age.log() + spec.spread).clamp(min=0)


def _tabulated(
    spec: TabulatedRelaxationSpec, aim: torch.Tensor, age: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Linear in ln t between the times of the table, linear in t before them, constant after them."""
    shifts = spec.shifts or (0.0,) * len(spec.times)
    first = (age / spec.times[0]).clamp(max=1)
    shift, spread = shifts[0] * first, spec.spreads[0].at(aim) * first
    spreads = [known.at(aim) for known in spec.spreads]
    for number, (start, end) in enumerate(pairwise(spec.times)):
        share = (age.clamp(start, end) / start).log() / log(end / start)
        shift = shift + (shifts[number + 1] - shifts[number]) * share
        spread = spread + (spreads[number + 1] - spreads[number]) * share
    return shift, spread
