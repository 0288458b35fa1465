"""Designs that are worth a thought: spread over the space, near the best, and those that were seen before."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from crossloom.search.space import Space

Design = Mapping[str, Any]


def spread(space: Space, number: int, seed: int) -> list[Design]:
    """Sobol' points of the space; equal ones are left out, so that there may be fewer."""
    engine = torch.quasirandom.SobolEngine(len(space.knobs), scramble=True, seed=seed)
    return unique(space, [space.from_unit(row) for row in engine.draw(number, dtype=torch.float64).tolist()])


def neighbours(
    space: Space, parents: Sequence[Design], number: int, generator: torch.Generator
) -> list[Design]:
    """Children of `parents` taken in turn: each knob is kept, moved a little, or drawn anew."""
    if not parents:
        return []
    units = torch.tensor([space.to_unit(parent) for parent in parents], dtype=torch.float64)
    units = units[torch.arange(number) % len(parents)]
    fate = torch.rand(units.shape, dtype=torch.float64, generator=generator)
    moved = (units + 0.1 * torch.randn(units.shape, dtype=torch.float64, generator=generator)).clamp(0.0, 1.0)
    anew = torch.rand(units.shape, dtype=torch.float64, generator=generator)
    # About one knob in three moves, one in six is drawn anew.
    children = torch.where(fate < 0.5, units, torch.where(fate < 0.83, moved, anew))
    return unique(space, [space.from_unit(row) for row in children.tolist()])


def unique(space: Space, designs: Sequence[Design]) -> list[Design]:
    """Every design once, in order of first appearance."""
    found: dict[str, Design] = {}
    for design in designs:
        found.setdefault(space.key(design), design)
    return list(found.values())
