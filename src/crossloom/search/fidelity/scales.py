"""Fidelities and goals as the Gaussian processes see them."""

from dataclasses import dataclass
from math import log

import torch


def gap_of(fidelity: torch.Tensor, lowest: float) -> torch.Tensor:
    """How far a fidelity is from a full evaluation: 0 for 1, and 1 for the lowest, even in its logarithm."""
    return (fidelity.log() / log(lowest)).clamp(0.0, 1.0) if lowest < 1 else torch.zeros_like(fidelity)


@dataclass(frozen=True)
class GoalScale:
    """Turns a goal's values into something to maximise, of mean 0 and deviation 1.

    is_log: whether logarithms are taken, which no comparison of designs notices.
    """

    sign: float
    is_log: bool
    mean: float
    deviation: float

    @classmethod
    def of(cls, values: torch.Tensor, direction: str) -> "GoalScale":
        """The scale for these values [point]; "maximise" or "minimise"."""
        is_log = bool(values.min() > 0 and values.max() > 10 * values.min())
        plain = values.log() if is_log else values
        deviation = float(plain.std(correction=0))
        sign = 1.0 if direction == "maximise" else -1.0
        return cls(sign, is_log, float(plain.mean()), deviation if deviation > 1e-12 else 1.0)

    def apply(self, values: torch.Tensor) -> torch.Tensor:
        """Scaled values, of any shape. A logarithm of what is not above zero is that of the least double."""
        plain = values.clamp(min=torch.finfo(values.dtype).tiny).log() if self.is_log else values
        return self.sign * (plain - self.mean) / self.deviation
