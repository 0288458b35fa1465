"""Shapes of I-V curves: f(v) in V and its slope, with i = g f(v)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

Shape = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
_STEEPEST = 80.0  # of v / v0; what is beyond is no current that a cell survives, but must stay finite


@dataclass(frozen=True)
class Polynomial:
    """f(v) = sum_k c_k v^k from k = 1; beyond `limit` (V) a straight line."""

    coefficients: tuple[float, ...]
    is_mirrored: bool = False
    limit: float | None = None

    def __call__(self, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_mirrored:
            return _straight_beyond(self._inside, voltage, self.limit)
        value, slope = _straight_beyond(self._inside, voltage.abs(), self.limit)
        return value * voltage.sign(), slope

    def _inside(self, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """By Horner's rule, both at once."""
        value = torch.full_like(voltage, self.coefficients[-1])
        slope = torch.zeros_like(voltage)
        for coefficient in self.coefficients[-2::-1]:
            slope = slope * voltage + value
            value = value * voltage + coefficient
        return value * voltage, slope * voltage + value


@dataclass(frozen=True)
class Sinh:
    """f(v) = v0 sinh(v / v0)."""

    voltage: float

    def __call__(self, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return _straight_beyond(self._inside, voltage, _STEEPEST * self.voltage)

    def _inside(self, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        share = voltage / self.voltage
        return self.voltage * share.sinh(), share.cosh()


@dataclass(frozen=True)
class Table:
    """Straight lines between rows of `voltages` and `factors` (V); mirrored where the first voltage is 0."""

    voltages: tuple[float, ...]
    factors: tuple[float, ...]

    def __call__(self, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        points, factors = voltage.new_tensor(self.voltages), voltage.new_tensor(self.factors)
        place = voltage.abs() if self.voltages[0] == 0 else voltage
        row = torch.searchsorted(points, place.detach().contiguous(), right=True) - 1
        row = row.clamp(0, len(points) - 2)
        slope = ((factors[1:] - factors[:-1]) / (points[1:] - points[:-1]))[row]
        value = factors[row] + slope * (place - points[row])
        return (value * voltage.sign(), slope) if self.voltages[0] == 0 else (value, slope)


def _straight_beyond(
    inside: Shape, voltage: torch.Tensor, limit: float | None
) -> tuple[torch.Tensor, torch.Tensor]:
    if limit is None:
        return inside(voltage)
    kept = voltage.clamp(-limit, limit)
    value, slope = inside(kept)
    return value + slope * (voltage - kept), slope
