"""What the CIFAR-10 recipes share: data, networks and their published weights."""

import sys
from pathlib import Path

import torch
from torch import nn

from crossloom.datasets import Dataset, load_dataset

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from cifar_resnet import MEAN, STD, CifarResNet, load_pretrained

PRETRAINED = {"resnet20": "resnet20-12fca82f.th", "resnet32": "resnet32-d509ac18.th"}
NUM_BLOCKS = {"resnet20": 3, "resnet32": 5}
CALIBRATION_IMAGES = 256


def load_split(data: Path | None, split: str, limit: int | None = None) -> Dataset:
    """Images normalised as the published networks want them."""
    return load_dataset(data, split, limit=limit, name="cifar10").normalize(MEAN, STD)


def network(name: str, weights: Path | None = None) -> nn.Module:
    """A ResNet, with its published weights when `weights` (their file, or its folder) is given."""
    model = CifarResNet(NUM_BLOCKS[name])
    if weights is None:
        return model
    path = weights / PRETRAINED[name] if weights.is_dir() else weights
    return load_pretrained(model, path)


def accuracy(outputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of labels met."""
    return (outputs.argmax(1) == labels).double().mean().item()
