"""A multilayer perceptron on MNIST."""

from pathlib import Path

from torch import nn
from torch.nn import functional

from crossloom.datasets import load_dataset
from recipes.six_models.task import Samples, Schedule, Task, accuracy


def build() -> nn.Module:
    """784 - 256 - 128 - 10."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.ReLU(),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def load(data: Path, part: str) -> Samples:
    """All of MNIST's training or test images."""
    found = load_dataset(data, part, name="mnist")
    assert found.labels is not None
    return Samples(found.inputs, found.labels)


TASK = Task(
    name="mlp",
    title="MLP on MNIST",
    metric="accuracy",
    published="98.4 % for two hidden layers without distortions (Simard et al., ICDAR 2003)",
    build=build,
    load=load,
    loss=functional.cross_entropy,
    score=accuracy,
    schedule=Schedule(epochs=8, mapped_epochs=2, batch_size=128),
)
