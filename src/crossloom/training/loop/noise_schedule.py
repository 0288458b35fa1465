"""How much of the noise is on, over the epochs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Protocol, runtime_checkable

from pydantic import Field
from torch import nn

from crossloom.spec import Config

Epochs = Annotated[float, Field(ge=0)]


class NoiseSchedule(Config):
    """No noise until `start`, then a linear ramp to all of it over `ramp` epochs.

    Yu et al. 2025 train 60 epochs without and 6 with: `NoiseSchedule(start=60)`.
    """

    start: Epochs = 0.0
    ramp: Epochs = 0.0

    def share(self, epoch: float) -> float:
        """0 to 1, at `epoch`, counted from 0 with its fraction.

        >>> [NoiseSchedule(start=2, ramp=4).share(epoch) for epoch in (1.9, 3, 6, 9)]
        [0.0, 0.25, 1.0, 1.0]
        """
        if epoch < self.start:
            return 0.0
        return min((epoch - self.start) / self.ramp, 1.0) if self.ramp else 1.0


@runtime_checkable
class Noisy(Protocol):
    """A module whose noise can be turned up and down."""

    def set_noise_share(self, share: float) -> None:
        """Have this share of the noise, 0 (none) to 1 (all)."""
        ...


@contextmanager
def keep_noise_share(model: nn.Module) -> Iterator[None]:
    """Give every noisy module its share back at the end: what its `noise_share` said before, else all of it."""
    noisy = [module for module in model.modules() if isinstance(module, Noisy)]
    shares = [(module, getattr(module, "noise_share", 1.0)) for module in noisy]
    try:
        yield
    finally:
        for module, share in shares:
            module.set_noise_share(share)


def set_noise_share(model: nn.Module, share: float) -> None:
    """Turn the noise of every noisy module of `model` to this share."""
    for module in model.modules():
        if isinstance(module, Noisy):
            module.set_noise_share(share)
