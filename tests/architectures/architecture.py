"""What the list of architectures is made of."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

Inputs = tuple[Tensor, ...]


@dataclass(frozen=True)
class Architecture:
    """A small network of a published kind with random weights.

    source: who published it.  build: makes the network.  inputs: makes a batch of so many samples, from a generator.
    share: of its multiplications, how many crossbars do; to three places.
    dynamic: axes besides the batch that are not fixed.
    """

    name: str
    source: str
    build: Callable[[], nn.Module]
    inputs: Callable[[int, torch.Generator], Inputs]
    share: float
    dynamic: dict[str | int, dict[int, int]] = field(default_factory=dict)

    def model(self) -> nn.Module:
        """The network in eval mode; batch norms have statistics that are not the initial ones."""
        torch.manual_seed(0)
        model = self.build().eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
        return model.requires_grad_(False)

    def batch(self, num_samples: int = 2, seed: int = 0) -> Inputs:
        """Random inputs."""
        return self.inputs(num_samples, torch.Generator().manual_seed(seed))


def images(*shape: int) -> Callable[[int, torch.Generator], Inputs]:
    """Normal numbers [sample, *shape]."""
    return lambda num, generator: (torch.randn(num, *shape, generator=generator),)


def tokens(size: int, *shape: int) -> Callable[[int, torch.Generator], Inputs]:
    """Numbers of tokens [sample, *shape] below `size`."""
    return lambda num, generator: (torch.randint(0, size, (num, *shape), generator=generator),)


def both(*parts: Callable[[int, torch.Generator], Inputs]) -> Callable[[int, torch.Generator], Inputs]:
    """Several inputs."""
    return lambda num, generator: tuple(tensor for part in parts for tensor in part(num, generator))
