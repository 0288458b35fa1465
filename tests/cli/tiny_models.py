"""Models that tests of the command line name as `tiny_models:function`."""

import torch
from torch import nn


def make_net() -> nn.Module:
    """Eight inputs, three classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))


def make_wide() -> nn.Module:
    """More columns than one array of tsinghua_c200 has."""
    return nn.Linear(8, 300)


def make_nan() -> nn.Module:
    """One weight is not a number."""
    net = make_net()
    with torch.no_grad():
        net[0].weight[0, 0] = float("nan")  # pyright: ignore
    return net


class _Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


def make_branching() -> nn.Module:
    """A model that does not export."""
    return _Branching()


def make_text() -> str:
    """No model at all."""
    return "net"
