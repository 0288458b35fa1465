"""A small convolutional network of LeNet's kind on EMNIST letters.

The set at hand may be the published test split alone (20,800 images): then a fifth of it, drawn once, is the test set
here, and the rest trains.
"""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from crossloom.datasets import find_source, load_dataset
from recipes.six_models.task import Samples, Schedule, Task, accuracy, split

TEST_SHARE, SPLIT_SEED, LARGEST_SHIFT = 0.2, 0, 2


def build() -> nn.Module:
    """Two convolutions of 5 x 5 and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(800, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, 26),
    )


def load(data: Path, part: str) -> Samples:
    """Letters 0 to 25: the published splits where both are there, else the test split divided."""
    if "train" in find_source(data, "emnist-letters").splits:
        return _read(data, part)
    return split(_read(data, "test"), TEST_SHARE, SPLIT_SEED)[part == "test"]


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The batch shifted by up to two pixels: each of eight parts of it by steps of its own."""
    moves = torch.randint(-LARGEST_SHIFT, LARGEST_SHIFT + 1, (8, 2), generator=generator).tolist()
    parts = images.chunk(8)
    return torch.cat([part.roll(move, (2, 3)) for part, move in zip(parts, moves, strict=False)])


def _read(data: Path, part: str) -> Samples:
    found = load_dataset(data, part, name="emnist-letters")
    assert found.labels is not None
    return Samples(found.inputs, found.labels - 1)


TASK = Task(
    name="cnn",
    title="CNN on EMNIST letters",
    metric="accuracy",
    published=(
        "85.2 % by the set's authors (Cohen et al. 2017), 91 to 95 % by convolutional networks, with 124,800 "
        "training images; here 16,640, and 4,160 to judge, both from the published test split"
    ),
    build=build,
    load=load,
    loss=functional.cross_entropy,
    score=accuracy,
    augment=augment,
    schedule=Schedule(epochs=20, mapped_epochs=5, batch_size=64, weight_decay=1e-4),
)
