"""What the six have in common: a network, its data, a loss to train with, a score to judge by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from crossloom.errors import DataError


@dataclass(frozen=True)
class Samples:
    """inputs: [sample, ...].  targets: [sample, ...], whatever the task's loss and score take."""

    inputs: Tensor = field(repr=False)
    targets: Tensor = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets) or not len(self.inputs):
            raise DataError(f"need as many targets as inputs, got {len(self.targets)} and {len(self.inputs)}")

    def __len__(self) -> int:
        return len(self.inputs)

    def first(self, number: int | None) -> "Samples":
        """At most so many of them."""
        return Samples(self.inputs[:number], self.targets[:number])

    def choose(self, indices: Tensor) -> "Samples":
        """These."""
        return Samples(self.inputs[indices], self.targets[indices])


@dataclass(frozen=True)
class Schedule:
    """How a network is trained: in floating point first, then as its chips will compute.

    mapped_batch_size: while it is trained as mapped, None for the same.  noise: of weights meanwhile, as a share of
    their range.
    """

    epochs: int
    mapped_epochs: int
    batch_size: int = 64
    mapped_batch_size: int | None = None
    learning_rate: float = 2e-3
    mapped_learning_rate: float = 1e-3
    weight_decay: float = 0.0
    noise: float = 0.06


@dataclass(frozen=True)
class Task:
    """One of the six.

    build: the network, with random weights.  load: training or test samples from the folder of `--data`.
    loss: of outputs and targets.  score: of all outputs and targets, from 0 to 1, called `metric`.
    published: what networks of this kind reach in published work, with its source, and what is different here.
    augment: the inputs of a batch anew, with a generator; None leaves them.
    labels: whether the targets are class numbers [sample], which tuning can count.
    schedule: None for weights from elsewhere, see `pretrained`.
    """

    name: str
    title: str
    metric: str
    published: str
    build: Callable[[], nn.Module]
    load: Callable[[Path, str], Samples]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], float]
    schedule: Schedule | None = None
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None
    pretrained: Callable[[Sequence[Path]], tuple[nn.Module, nn.Module]] | None = None
    labels: bool = True


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of labels met; logits [sample, class], labels [sample]."""
    return (outputs.argmax(1) == targets).double().mean().item()


def split(samples: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    """All but this share, and this share, drawn once by the seed."""
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
    number = round(share * len(samples))
    return samples.choose(order[number:].sort().values), samples.choose(order[:number].sort().values)


def drawn(samples: Samples, number: int) -> Samples:
    """Some of them, drawn once: neighbours in a file may be alike."""
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))
    return samples.choose(order[:number])


def find_folder(data: Path, *names: str) -> Path:
    """The first of these folders under `data` that is there. DataError says which were looked for."""
    for name in names:
        if (data / name).is_dir():
            return data / name
    raise DataError(f"{data} has no folder {' or '.join(names)}; give --data the folder that holds it")
