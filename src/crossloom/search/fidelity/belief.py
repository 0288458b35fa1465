"""What a history makes one believe of every goal: one Gaussian process each, and what evaluations cost."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from crossloom.search.fidelity.cost import CostModel
from crossloom.search.fidelity.evidence import Evidence, Goals
from crossloom.search.fidelity.features import encode
from crossloom.search.fidelity.scales import GoalScale, gap_of
from crossloom.search.fidelity.surrogate import Surrogate, fit_process
from crossloom.search.space import Space

if TYPE_CHECKING:
    from crossloom.search.samplers import ContinuousFidelity

_REFIT_SHARE = 6  # hyperparameters are found anew whenever the history has grown by one part in so many


@dataclass(frozen=True)
class Belief:
    """Gaussian processes of the goals, in the goals' order, all to be maximised and of deviation about 1.

    resolution: share of a goal's deviation that is not worth telling apart.
    """

    lowest: float
    resolution: float
    surrogates: tuple[Surrogate, ...]
    scales: tuple[GoalScale, ...]
    cost: CostModel

    @classmethod
    def of(cls, sampler: "ContinuousFidelity", space: Space, goals: Goals, evidence: Evidence) -> "Belief":
        """What the evidence says."""
        pairs = [
            _goal_belief(evidence, goal, direction, sampler.lowest, goal in sampler.exact)
            for goal, direction in goals.items()
        ]
        cost = CostModel.fit(evidence.features, evidence.fidelities, evidence.costs)
        belief = cls(sampler.lowest, sampler.resolution, *map(tuple, zip(*pairs, strict=True)), cost)  # type: ignore
        if not evidence.pending:
            return belief
        features = encode(space, [item.values for item in evidence.pending])
        fidelities = torch.tensor([item.fidelity for item in evidence.pending], dtype=torch.float64)
        return belief.with_pending(features, fidelities)

    def with_pending(self, features: torch.Tensor, fidelities: torch.Tensor) -> "Belief":
        """As if these [point, feature] had been evaluated at [point], with the outcome that is expected."""
        inputs = self.inputs(features, fidelities)
        return replace(self, surrogates=tuple(one.with_pending(inputs) for one in self.surrogates))

    def inputs(self, features: torch.Tensor, fidelities: torch.Tensor) -> torch.Tensor:
        """Inputs [..., feature + 1] of the processes."""
        return torch.cat([features, gap_of(fidelities, self.lowest).unsqueeze(-1)], -1)

    def in_full(self, features: torch.Tensor) -> torch.Tensor:
        """Inputs [point, feature + 1] at full fidelity."""
        return self.inputs(features, torch.ones(len(features), dtype=features.dtype))

    def means(self, features: torch.Tensor) -> torch.Tensor:
        """Expected goals [point, goal] in full."""
        inputs = self.in_full(features)
        return torch.stack([one.mean(inputs) for one in self.surrogates], -1)

    def spreads(self, features: torch.Tensor) -> torch.Tensor:
        """Standard deviations [point, goal] of what is expected in full."""
        inputs = self.in_full(features)
        variances = [one.covariance(inputs).diagonal() for one in self.surrogates]
        return torch.stack(variances, -1).clamp(min=0.0).sqrt()

    def samples(self, features: torch.Tensor, num_samples: int, generator: torch.Generator) -> torch.Tensor:
        """Joint samples [sample, point, goal] in full; exact, not by features of a kernel's spectrum."""
        inputs = self.in_full(features)
        noise = torch.randn(
            len(self.surrogates), len(inputs), num_samples, dtype=torch.float64, generator=generator
        )
        drawn = [
            one.mean(inputs) + (_root(one.covariance(inputs)) @ noise[number]).T
            for number, one in enumerate(self.surrogates)
        ]
        return torch.stack(drawn, -1)


def _goal_belief(
    evidence: Evidence, goal: str, direction: str, lowest: float, is_exact: bool
) -> tuple[Surrogate, GoalScale]:
    rows = evidence.first_of_each() if is_exact else list(range(len(evidence.keys)))
    gaps = gap_of(evidence.fidelities, lowest)
    inputs = torch.cat([evidence.features, gaps.unsqueeze(-1)], -1)[rows]
    values, early = evidence.values[goal][rows], num_fitted(len(rows))
    scale = GoalScale.of(values[:early], direction)
    scaled = scale.apply(values)
    has_fidelity = lowest < 1 and not is_exact
    fit = fit_process(inputs[:early].contiguous(), scaled[:early].contiguous(), has_fidelity, is_exact)
    return Surrogate.of(fit, inputs, scaled), scale


def num_fitted(num_points: int) -> int:
    """How many of so many points hyperparameters are fitted to: it grows by steps of a sixth.

    It depends on the number alone, so that a search that was resumed goes on as the one that was not.
    """
    fitted = min(num_points, 8)
    while (step := fitted + max(2, fitted // _REFIT_SHARE)) <= num_points:
        fitted = step
    return fitted


def _root(covariance: torch.Tensor) -> torch.Tensor:
    """A Cholesky factor, with as much added to the diagonal as it takes."""
    unit = torch.eye(len(covariance), dtype=covariance.dtype)
    for power in range(-9, -2):
        root, failed = torch.linalg.cholesky_ex(covariance + 10.0**power * unit)
        if not failed:
            return root
    return covariance.diagonal().clamp(min=1e-12).sqrt().diag()
