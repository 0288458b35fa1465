"""What one observation tells about the Pareto front: entropy of truncated and of extended skew normal distributions."""

import math
from functools import cache

import torch

LARGEST_CORRELATION = (
    0.995  # beyond it, the step of the skewed density is narrower than the quadrature resolves
)
# Below -5 the share of samples that fall there is under 1e-6, and the formulas lose their digits.
_BOUNDS = (-5.0, 8.0)
_LOG_2PI = math.log(2 * math.pi)


def information_gain(bound: torch.Tensor, correlation: torch.Tensor, num_nodes: int = 97) -> torch.Tensor:
    """Entropy (nats) that observing y takes from knowing f <= bound: H[y] - H[y | f <= bound].

    bound: standardised bounds (y* - mean) / sigma of f, the goal in full.  correlation: between y, the observation at
    some fidelity with its noise, and f; both broadcast to the shape of the result.

    y | f <= bound is an extended skew normal, p(u) = phi(u) Phi((b - r u) / sqrt(1 - r²)) / Phi(b), and its entropy an
    integral over u, here by the trapezium rule on ±6. As r goes to 1 this becomes the truncated normal's
    b phi(b) / (2 Phi(b)) - ln Phi(b). After Belakaria, Deshwal and Doppa, arXiv 2009.05700 (iMOCA) and Takeno et al.,
    ICML 2020 (multi-fidelity max-value entropy search).
    """
    bound, correlation = torch.broadcast_tensors(bound, correlation)
    bound = bound.clamp(*_BOUNDS).unsqueeze(-1)
    size = correlation.abs().clamp(max=LARGEST_CORRELATION).unsqueeze(-1)
    nodes = torch.linspace(-6.0, 6.0, num_nodes, dtype=bound.dtype)
    log_normal = -0.5 * nodes**2 - 0.5 * _LOG_2PI
    argument = (bound - size * nodes) / (1 - size**2).sqrt()
    log_density = log_normal + torch.special.log_ndtr(argument) - torch.special.log_ndtr(bound)
    density = log_density.exp()
    step = 12.0 / (num_nodes - 1)
    mass = density.sum(-1) * step
    entropy = -(density * log_density).sum(-1) * step / mass + mass.log()
    return (0.5 * (_LOG_2PI + 1) - entropy).clamp(min=0.0)


def quick_gain(bound: torch.Tensor, correlation: torch.Tensor) -> torch.Tensor:
    """`information_gain` between values of a table: within 0.01 nats, at a twentieth of the time."""
    bound, correlation = torch.broadcast_tensors(bound, correlation)
    size = correlation.abs().clamp(max=LARGEST_CORRELATION) / LARGEST_CORRELATION
    across = 1 - 2 * (1 - size).sqrt()  # the table is finest where correlations are large
    down = 2 * (bound.clamp(*_BOUNDS) - _BOUNDS[0]) / (_BOUNDS[1] - _BOUNDS[0]) - 1
    places = torch.stack([across, down], -1).reshape(1, 1, -1, 2)
    found = torch.nn.functional.grid_sample(_table(), places, align_corners=True)
    return found.reshape(bound.shape)


@cache
def _table() -> torch.Tensor:
    """Gains [1, 1, bound, correlation], even in the bound and in sqrt(1 - correlation)."""
    bounds = torch.linspace(*_BOUNDS, 131, dtype=torch.float64).unsqueeze(-1)
    correlations = LARGEST_CORRELATION * (1 - torch.linspace(1, 0, 81, dtype=torch.float64).square())
    return information_gain(bounds, correlations)[None, None]
