"""Distributions that tests and intervals need: normal, Student's t, chi-square, Kolmogorov's."""

import math
from statistics import NormalDist

import torch

_MANY = 200


def t_quantile(probability: float, degrees_of_freedom: int) -> float:
    """Quantile of Student's t.

    >>> round(t_quantile(0.975, 4), 3), round(t_quantile(0.975, 100_000), 3)
    (2.776, 1.96)
    """
    z, n = NormalDist().inv_cdf(probability), degrees_of_freedom
    if n > _MANY:
        return z + (z**3 + z) / (4 * n)
    # With t = sqrt(n) tan a the density is cos^(n - 1) a; its integral by the trapezoidal rule.
    angles = torch.linspace(-math.pi / 2, math.pi / 2, 20_001, dtype=torch.float64)
    density = angles.cos().clamp(min=0) ** (n - 1)
    below = torch.cumulative_trapezoid(density, angles)
    sought = probability * below[-1]
    found = int(torch.searchsorted(below, sought))
    share = (sought - below[found - 1]) / (below[found] - below[found - 1])
    return math.sqrt(n) * math.tan((angles[found] + share * (angles[found + 1] - angles[found])).item())


def chi_square_tail(value: float, degrees_of_freedom: int) -> float:
    """The probability of at least this chi-square.

    >>> round(chi_square_tail(3.841, 1), 3)
    0.05
    """
    half = torch.tensor([degrees_of_freedom / 2, value / 2], dtype=torch.float64)
    return torch.special.gammaincc(half[0], half[1]).item()


def kolmogorov_smirnov(residuals: torch.Tensor) -> tuple[float, float]:
    """The largest distance between residuals [row] and the standard normal distribution, and its probability.

    The probability is Kolmogorov's with Stephens' correction for n, for a distribution that is known beforehand:
    where parameters were fitted to the same rows it is too large, so a small one is certain to mean something.
    """
    n = len(residuals)
    normal = torch.special.ndtr(residuals.sort().values)
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    distance = torch.maximum((steps[1:] - normal).max(), (normal - steps[:-1]).max()).item()
    x = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance
    terms = ((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101))
    return distance, 1.0 if x < 0.3 else min(max(2 * sum(terms), 0.0), 1.0)
