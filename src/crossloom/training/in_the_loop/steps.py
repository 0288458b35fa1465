"""Optimisation steps: weights move by layers, scales and biases by Adam, and both come to rest."""

from collections.abc import Iterable
from math import cos, pi

import torch

from crossloom.training.in_the_loop.layer import LoopLayer

_MOMENTUM, _MEMORY = 0.9, 0.99


class WeightSteps:
    """Momentum, divided by the root mean square of the gradient of the whole layer.

    Adam would move every weight alike, whether it matters or not; here those with large gradients move, and the others
    keep still, so that few cells have to be rewritten.
    """

    def __init__(self, layers: Iterable[LoopLayer], rate: float) -> None:
        self._layers = [layer for layer in layers if layer.wish is not None]
        self._rate = rate
        self._means = [torch.zeros_like(layer.readback) for layer in self._layers]
        self._powers = [torch.zeros(()) for _ in self._layers]
        self._count = 0

    @torch.no_grad()
    def step(self, share: float) -> None:
        """Move by `share` of the rate."""
        self._count += 1
        for layer, mean, power in zip(self._layers, self._means, self._powers, strict=True):
            assert layer.wish is not None
            gradient = layer.wish.grad
            if gradient is None:
                continue
            mean.lerp_(gradient, 1 - _MOMENTUM)
            power.lerp_(gradient.square().mean(), 1 - _MEMORY)
            usual = (power / (1 - _MEMORY**self._count)).sqrt() + 1e-12
            debiased = mean / (1 - _MOMENTUM**self._count)
            layer.move(debiased * (-share * self._rate * layer.top / usual))


class DigitalSteps:
    """Adam on scales and biases."""

    def __init__(self, layers: Iterable[LoopLayer], rate: float) -> None:
        found = [part for layer in layers for part in (layer.gain, layer.shift) if part is not None]
        self._rate = rate
        self._adam = torch.optim.Adam(found, rate) if found else None

    def step(self, share: float) -> None:
        """Move by `share` of the rate."""
        if self._adam is not None:
            for group in self._adam.param_groups:
                group["lr"] = share * self._rate
            self._adam.step()


def falling(done: int, total: int) -> float:
    """A share that falls from 1 to 0 with a cosine."""
    return (1 + cos(pi * done / max(total, 1))) / 2
