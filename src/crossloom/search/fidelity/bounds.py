"""How good a goal can be at a design, given one sample of what every design may be."""

from typing import Literal

import torch

Bound = Literal["front", "maxima"]


def goal_bounds(samples: torch.Tensor, bound: Bound) -> torch.Tensor:
    """Upper bounds [sample, design, goal] of goals to be maximised, from joint samples [sample, design, goal].

    "maxima": the best value of each goal on the sampled Pareto front, one for all designs, as in max-value entropy
    search (MESMO). "front": the best value of the goal among the designs that are at least as good in every other
    goal, the design itself included: how far the design reaches until the sampled front is passed, along one goal
    (the region of Suzuki et al., ICML 2020, cut along each goal). It knows of trade-offs in the middle of the front,
    which maxima do not.
    """
    if bound == "maxima":
        return samples.amax(1, keepdim=True).expand_as(samples)
    return torch.stack([_reach(sample) for sample in samples])


def is_unbeaten(values: torch.Tensor, rivals: torch.Tensor, tie: float = 0.01) -> torch.Tensor:
    """Which rows of values [design, goal] no row of rivals [rival, goal] beats.

    To beat is to be better by more than `tie` in one goal, and worse by more than that in none.
    """
    ahead = rivals.unsqueeze(0) - values.unsqueeze(1)
    return ~((ahead >= -tie).all(-1) & (ahead > tie).any(-1)).any(-1)


def _reach(sample: torch.Tensor) -> torch.Tensor:
    """Bounds [design, goal] of one sample; all pairs of designs at once."""
    columns = sample.T.contiguous()  # [goal, design]
    at_least = columns.unsqueeze(1) >= columns.unsqueeze(2)  # [goal, design, other]
    count = at_least.sum(0, dtype=torch.uint8)
    lowest = torch.finfo(sample.dtype).min
    num_others = len(columns) - 1
    bounds = [
        torch.where(count - at_least[goal].to(torch.uint8) == num_others, values, lowest).amax(-1)
        for goal, values in enumerate(columns)
    ]
    return torch.stack(bounds, -1)
