"""The published files themselves, where CROSSLOOM_DATA names a folder that holds them."""

import os

import pytest
import torch

from crossloom.datasets import Dataset, find_sources, load_dataset
from crossloom.datasets.finding import find_data


def published(name: str, split: str = "test") -> Dataset:
    """A set under CROSSLOOM_DATA, or the reason to skip."""
    if not os.environ.get("CROSSLOOM_DATA"):
        pytest.skip("CROSSLOOM_DATA is not set")
    sources = {source.name: source for source in find_sources(find_data())}
    if name not in sources or split not in sources[name].splits:
        pytest.skip(f"CROSSLOOM_DATA holds no {split} split of {name}")
    return load_dataset(name=name, split=split)


@pytest.mark.parametrize(("split", "size", "mean"), [("train", 60_000, 0.1307), ("test", 10_000, 0.1325)])
def test_mnist_is_as_published(split: str, size: int, mean: float) -> None:
    mnist = published("mnist", split)
    assert mnist.inputs.shape == (size, 1, 28, 28)
    assert mnist.inputs.mean().item() == pytest.approx(mean, abs=1e-4)
    assert mnist.labels is not None
    assert mnist.labels[:5].tolist() == ([5, 0, 4, 1, 9] if split == "train" else [7, 2, 1, 0, 4])


def test_emnist_letters_are_as_published() -> None:
    letters = published("emnist-letters")
    assert letters.inputs.shape == (20_800, 1, 28, 28)
    assert letters.labels is not None
    assert torch.equal(letters.labels.unique(), torch.arange(1, 27))


def test_cifar10_is_as_published() -> None:
    cifar = published("cifar10")
    assert cifar.inputs.shape == (10_000, 3, 32, 32)
    assert cifar.labels is not None
    assert cifar.labels.bincount().tolist() == [1000] * 10
    torch.testing.assert_close(
        cifar.inputs.mean((0, 2, 3)), torch.tensor([0.4942, 0.4851, 0.4504]), atol=1e-3, rtol=0
    )
