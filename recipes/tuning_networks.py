"""Networks that tuning is tried on: trained as mapped, so that their converters have learned ranges."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from cifar import load_split, network
from torch import nn
from torch.nn import functional

import crossloom as xl
from crossloom.cli.demo import load_digits, train_network
from crossloom.datasets import Dataset, load_dataset
from crossloom.training import (
    AnalogConfig,
    ConverterOffsets,
    NoiseSchedule,
    Sgd,
    TrainingConfig,
    WeightNoise,
    begin,
    convert_to_analog,
    convert_to_digital,
    load_learned,
    save_learned,
    train,
)

SYSTEM = "tsinghua_c200"
WEIGHTS = Path(__file__).parent / "weights" / "pdt_resnet32_noisy.safetensors"
TUNING_IMAGES = 512


@dataclass(frozen=True)
class Case:
    """A trained network, training samples (to compile, tune and judge with) and test samples."""

    model: nn.Module
    tuning: Dataset
    test: Dataset


class LeNet5(nn.Sequential):
    """LeNet-5 (LeCun et al., Proc. IEEE 86, 2278, 1998) with rectifiers and maximum pooling, for 28 x 28 images."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )


def digits(folder: Path, data: Path | None, images: int, seed: int) -> Case:
    """The network of `crossloom demo` on scikit-learn's digits."""
    some, test = load_digits()
    model = _as_mapped(folder / f"digits-{seed}", train_network(some), some, 6, seed)
    return Case(model, _first(some, TUNING_IMAGES), _first(test, images))


def lenet(folder: Path, data: Path | None, images: int, seed: int) -> Case:
    """LeNet-5 on MNIST; plain training on 20,000 images, then as mapped on as many."""
    some = load_dataset(data, "train", limit=20_000, name="mnist")
    test = load_dataset(data, "test", limit=images, name="mnist")
    path = folder / f"lenet-{seed}"
    path.mkdir(parents=True, exist_ok=True)
    model, plain = LeNet5(), path / "plain.pt"
    if plain.exists():
        model.load_state_dict(torch.load(plain, weights_only=True))
    else:
        _train_plain(model, some, 2, seed)
        torch.save(model.state_dict(), plain)
    return Case(_as_mapped(path, model, some, 1, seed), _first(some, TUNING_IMAGES), test)


def resnet32(folder: Path, data: Path | None, images: int, seed: int) -> Case:
    """ResNet-32 on CIFAR-10 with the weights that `pdt_resnet32.py` trained with noise."""
    model = load_learned(network("resnet32").eval(), WEIGHTS)
    return Case(model, load_split(data, "train", TUNING_IMAGES), load_split(data, "test", images))


CASES: dict[str, Callable[[Path, Path | None, int, int], Case]] = {
    "digits": digits,
    "lenet": lenet,
    "resnet32": resnet32,
}


def _as_mapped(folder: Path, model: nn.Module, data: Dataset, epochs: int, seed: int) -> nn.Module:
    """The network trained on as its chip computes, with converters that learn their ranges; kept in `folder`."""
    path = folder / "learned.safetensors"
    if not path.exists():
        config = AnalogConfig(
            largest_weight=6,
            per_channel=False,
            is_quick=True,
            effects=(WeightNoise(sigma=0.06), ConverterOffsets()),
        )
        analog = convert_to_analog(model, xl.load_system(SYSTEM), config)
        begin(analog, data.inputs[:256])
        schedule = TrainingConfig(
            epochs=epochs,
            batch_size=64,
            optimiser=Sgd(learning_rate=0.01, momentum=0.9, weight_decay=1e-4),
            schedule={"kind": "cosine", "warm_up": 0.05},
            noise=NoiseSchedule(start=0.0, ramp=0.2),
            checkpoint_every=120.0,
            seed=seed,
        )
        train(analog, data, schedule, folder=folder)
        save_learned(convert_to_digital(analog), path)
    return load_learned(model.eval(), path)


def _train_plain(model: nn.Module, data: Dataset, epochs: int, seed: int) -> None:
    assert data.labels is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in model:
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        optimizer = torch.optim.Adam(model.parameters(), 2e-3)
        for _ in range(epochs):
            for batch in torch.randperm(len(data)).split(64):
                loss = functional.cross_entropy(model(data.inputs[batch]), data.labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()


def _first(data: Dataset, number: int) -> Dataset:
    assert data.labels is not None
    return Dataset(data.inputs[:number], data.labels[:number], data.name)
