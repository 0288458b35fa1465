"""Small networks and data for the tests of the training loop."""

import torch
from torch import nn

from crossloom.datasets import Dataset


class Noise(nn.Module):
    """Gaussian noise while training, of a strength that a schedule can set."""

    def __init__(self, strength=0.3):
        super().__init__()
        self.strength, self.noise_share, self.shares = strength, 1.0, []

    def set_noise_share(self, share):
        self.noise_share = share
        self.shares.append(share)

    def _get_name(self):
        return "Noise"

    def extra_repr(self):
        return f"strength={self.strength}"

    def forward(self, values):
        return (
            values + self.strength * self.noise_share * torch.randn_like(values) if self.training else values
        )


def small_net(seed=0, num_classes=3):
    """Norm, noise and dropout: everything that has state or draws random numbers."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        Noise(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(4 * 36, num_classes),
    )


def linear_net(seed=0):
    """No randomness, no norm."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def images(num_samples=50, seed=1):
    """[sample, 2, 6, 6] of three classes, which differ in their mean."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (num_samples,), generator=generator)
    noise = torch.randn(num_samples, 2, 6, 6, generator=generator)
    return Dataset(noise + labels.view(-1, 1, 1, 1) - 1, labels, f"{num_samples} images")


def vectors(num_samples=40, seed=2):
    """([sample, 6], [sample]) of three classes that a linear network can tell apart."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(num_samples, 6, generator=generator)
    return inputs, inputs[:, :3].argmax(1)


def state_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def are_equal(first, second):
    """Whether two models hold the same bits."""
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
