"""The cycles of cells: what their next SET and RESET will be like, from all that came before."""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from crossloom.spec import SynaptogenFit

_DOUBLINGS = 40


class Features(NamedTuple):
    """One cycle of every cell: conductances (S) after a full RESET and after SET, and the voltages (V, signed)
    that these take."""

    reset_conductance: torch.Tensor
    set_voltage: torch.Tensor
    set_conductance: torch.Tensor
    reset_voltage: torch.Tensor


@dataclass(frozen=True)
class Cycles:
    """Draws cycles: a vector autoregression x of unit variance, bent to measured quantiles, scaled device by device.

    Blocks of cells have any shape [...]; histories are [lag, feature, ...], the oldest cycle first, float32.
    """

    innovation: torch.Tensor
    regression: torch.Tensor
    stationary: torch.Tensor
    quantiles: torch.Tensor
    shares: torch.Tensor
    means: torch.Tensor
    roots: torch.Tensor

    @classmethod
    def of(cls, fit: SynaptogenFit, device: torch.device) -> "Cycles":
        """The cycles of a fit, drawn on `device`."""
        made = [
            torch.tensor(numbers, dtype=torch.float64)
            for numbers in (fit.innovation, fit.regression, fit.quantiles, fit.shares, fit.means, fit.roots)
        ]
        innovation, regression, quantiles, shares, means, roots = made
        root = torch.linalg.cholesky(stationary_covariance(innovation, regression))
        flat = regression.transpose(0, 1).flatten(1)
        parts = (innovation, flat, root, quantiles, shares / shares.sum(), means, roots)
        return cls(*(part.to(device) for part in parts))

    def start(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Histories of cells that have cycled for long: the last cycle of each is its first one here."""
        drawn = self._normal(len(self.stationary), shape, generator)
        return (self.stationary @ drawn).float().reshape(-1, len(self.innovation), *shape)

    def draw_devices(
        self, shape: tuple[int, ...], generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and scale of every cell's features, [feature, ...] each: what makes one device unlike another."""
        drawn = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
        component = torch.searchsorted(self.shares.cumsum(0), drawn.flatten(), right=True)
        normal = self._normal(self.means.shape[1], shape, generator)
        made = torch.empty_like(normal)
        for number in range(len(self.shares)):
            chosen = component.clamp(max=len(self.shares) - 1) == number
            made[:, chosen] = self.means[number][:, None] + self.roots[number] @ normal[:, chosen]
        mean, scale = made.reshape(2, -1, *shape)
        return mean.clone(), scale.clone()

    def advance(self, history: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Histories one cycle later."""
        _, features, *shape = history.shape
        innovation = self.innovation @ self._normal(features, tuple(shape), generator)
        latest = self.regression.float() @ history.reshape(-1, innovation.shape[1]) + innovation.float()
        return torch.cat([history[1:], latest.reshape(1, features, *shape)])

    def features(self, history: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor) -> Features:
        """The cycle that a history ends with."""
        bent = self.bend(history[-1].double())
        high, set_voltage, low, reset_voltage = (mean + scale * bent).unbind(0)
        return Features(10.0**-high, set_voltage, 1 / low, reset_voltage)

    def bend(self, normal: torch.Tensor) -> torch.Tensor:
        """Normal numbers [feature, ...] to the measured shape of each feature's distribution."""
        bent = torch.zeros_like(normal)
        for coefficients in self.quantiles.T:
            bent = bent * normal + coefficients.reshape(-1, *[1] * (normal.ndim - 1))
        return bent

    def _normal(self, count: int, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """[number, cell], float64."""
        size = (count, torch.Size(shape).numel())
        return torch.randn(size, generator=generator, device=generator.device, dtype=torch.float64)


def stationary_covariance(innovation: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    """Covariance of the last p cycles, oldest first, [p * feature, p * feature].

    innovation: L.  regression: A_p ... A_1.  It solves P = F P F' + Q, by P = sum_k F^k Q F'^k in doublings.
    """
    order, features = regression.shape[:2]
    step = torch.zeros(order * features, order * features, dtype=regression.dtype)
    step[:-features, features:] = torch.eye((order - 1) * features, dtype=regression.dtype)
    step[-features:] = regression.transpose(0, 1).flatten(1)
    total = torch.zeros_like(step)
    total[-features:, -features:] = innovation @ innovation.T
    for _ in range(_DOUBLINGS):
        total, step = total + step @ total @ step.T, step @ step
    return total
