"""The next evaluations: where, and how thoroughly, an evaluation tells most of the Pareto front for its cost."""

from dataclasses import dataclass

import torch

from crossloom.search.fidelity.belief import Belief
from crossloom.search.fidelity.bounds import goal_bounds
from crossloom.search.fidelity.gain import quick_gain


@dataclass(frozen=True)
class Pick:
    """Row `design` of the candidates at this fidelity, with the information it promises (nats) and its cost."""

    design: int
    fidelity: float
    gain: float
    cost: float


def sampled_bounds(
    belief: Belief, features: torch.Tensor, bound, num_samples: int, generator
) -> torch.Tensor:
    """Bounds [sample, design, goal] of the goals at these designs, on sampled Pareto fronts."""
    return goal_bounds(belief.samples(features, num_samples, generator), bound)


def gains(
    belief: Belief, features: torch.Tensor, fidelities: torch.Tensor, bounds: torch.Tensor
) -> torch.Tensor:
    """Information [..., design] in evaluations of designs [design, feature] at fidelities [..., design].

    bounds: [sample, design, goal]. Goals are taken as independent: their information adds up. Mean over samples.
    """
    full = belief.in_full(features)
    at = belief.inputs(features.expand(*fidelities.shape, -1), fidelities)
    total = torch.zeros_like(fidelities)
    for number, surrogate in enumerate(belief.surrogates):
        variance, variance_at, covariance = surrogate.full_and_at(full, at)
        standard = (bounds[..., number] - surrogate.mean(full)) / variance.sqrt()  # [sample, design]
        correlation = covariance / (variance * (variance_at + belief.resolution**2)).sqrt()
        # Rounding that leaves nothing unknown leaves no correlation to speak of either.
        correlation = correlation.nan_to_num(0.0).clamp(-1.0, 1.0)
        total = total + quick_gain(standard, correlation.unsqueeze(-2)).mean(-2)
    return total


def shortlist(
    belief: Belief, features: torch.Tensor, floors: torch.Tensor, bounds: torch.Tensor, number: int
) -> torch.Tensor:
    """Indices of the designs, not yet seen in full, of which a full evaluation tells most for its cost.

    No cheaper evaluation tells more than a full one, so what tells little in full is left out.
    """
    ones = torch.ones(len(features), dtype=features.dtype)
    worth = gains(belief, features, ones, bounds) / belief.cost.predict(features, ones)
    left = (floors < 1).nonzero()[:, 0]
    return left[worth[left].topk(min(number, len(left))).indices]


def choose(
    belief: Belief,
    features: torch.Tensor,
    fidelities: torch.Tensor,
    floors: torch.Tensor,
    bounds: torch.Tensor,
) -> Pick | None:
    """The best of designs [design, feature] at fidelities [level, design]; None when none is allowed.

    floors: fidelity [design] at which a design was seen already; only what is above it is allowed.
    """
    costs = belief.cost.predict(features.expand(*fidelities.shape, -1), fidelities)
    gain = gains(belief, features, fidelities, bounds)
    worth = (gain / costs).masked_fill(fidelities <= floors * (1 + 1e-9), -1.0)
    level, design = divmod(int(worth.argmax()), len(features))
    if worth[level, design] < 0:
        return None
    return Pick(
        design, float(fidelities[level, design]), float(gain[level, design]), float(costs[level, design])
    )
