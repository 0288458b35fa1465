"""What an evaluation will cost: a power of its fidelity times a factor of the design."""

from dataclasses import dataclass

import torch

_RIDGE = 0.1  # as if a tenth of an observation said: proportional to fidelity, the same for all designs


@dataclass(frozen=True)
class CostModel:
    """ln cost = w · (1, features, ln fidelity)."""

    weights: torch.Tensor

    @classmethod
    def fit(cls, features: torch.Tensor, fidelities: torch.Tensor, costs: torch.Tensor) -> "CostModel":
        """Least squares to costs [point] of features [point, feature] at fidelities [point], in any unit.

        Weights are held back towards a cost in proportion to fidelity.
        """
        inputs = _inputs(features, fidelities)
        prior = torch.zeros(inputs.shape[-1], dtype=inputs.dtype)
        prior[-1] = 1.0
        ridge = torch.full_like(prior, _RIDGE)
        ridge[0] = 0.0
        rest = costs.clamp(min=1e-12).log() - inputs @ prior
        normal = inputs.T @ inputs + torch.diag(ridge)
        return cls(prior + torch.linalg.solve(normal, inputs.T @ rest))

    def predict(self, features: torch.Tensor, fidelities: torch.Tensor) -> torch.Tensor:
        """Costs [...] of features [..., feature] at fidelities [...]."""
        return (_inputs(features, fidelities) @ self.weights).exp()


def _inputs(features: torch.Tensor, fidelities: torch.Tensor) -> torch.Tensor:
    ones = torch.ones_like(fidelities)
    return torch.cat([ones.unsqueeze(-1), features, fidelities.log().unsqueeze(-1)], -1)
