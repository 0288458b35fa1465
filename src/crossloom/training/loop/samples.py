"""What a network is trained on: inputs and labels, checked before any work, and taken in an order of the seed's."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import torch

from crossloom.errors import DataError
from crossloom.seeds import derive_generator


class LabelledData(Protocol):
    """Whatever has inputs [sample, ...] and labels [sample, ...], as `crossloom.datasets.Dataset` does."""

    @property
    def inputs(self) -> torch.Tensor: ...
    @property
    def labels(self) -> torch.Tensor | None: ...


Data = LabelledData | tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Samples:
    """inputs [sample, ...] and labels [sample, ...] of the same number; `name` is for errors."""

    inputs: torch.Tensor
    labels: torch.Tensor
    name: str

    def __len__(self) -> int:
        return len(self.inputs)

    def take(
        self, indices: torch.Tensor, device: torch.device, memory_format: torch.memory_format
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and labels of these samples, on `device`; images in `memory_format`."""
        inputs = self.inputs[indices.to(self.inputs.device)].to(device)
        labels = self.labels[indices.to(self.labels.device)].to(device)
        return lay_out(inputs, memory_format), labels

    def digest(self) -> str:
        """A short name of these very data: of shapes, types, all labels, the first and the last input."""
        parts = (self.labels, self.inputs[0], self.inputs[-1])
        text = f"{self.inputs.dtype} {list(self.inputs.shape)} {self.labels.dtype} {list(self.labels.shape)}"
        digest = hashlib.sha256(text.encode())
        for part in parts:
            flat = part.detach().to("cpu").contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]


def lay_out(inputs: torch.Tensor, memory_format: torch.memory_format) -> torch.Tensor:
    """Images [sample, channel, row, column] in `memory_format`; anything else as it is."""
    return inputs.contiguous(memory_format=memory_format) if inputs.dim() == 4 else inputs


def check_samples(data: Data, name: str, are_classes: bool) -> Samples:
    """`data` as Samples. Raises DataError when there are none, labels are missing, of another number, or no numbers of
    classes where `are_classes`, or inputs are not finite."""
    inputs, labels = data if isinstance(data, tuple) else (data.inputs, data.labels)
    if not isinstance(inputs, torch.Tensor) or inputs.dim() < 1 or inputs.numel() == 0:
        raise DataError(f"{name}: need inputs [sample, ...] with at least one sample, got {_told(inputs)}")
    if not isinstance(labels, torch.Tensor) or labels.dim() < 1 or len(labels) != len(inputs):
        raise DataError(f"{name}: need one label for each of {len(inputs)} samples, got {_told(labels)}")
    if inputs.is_floating_point() and not bool(torch.isfinite(inputs).all()):
        raise DataError(f"{name}: inputs hold NaN or infinite values; remove them first")
    if are_classes and (labels.dtype != torch.int64 or int(labels.min()) < 0):
        lowest = f", lowest {labels.min().item()}"
        raise DataError(
            f"{name}: need int64 class numbers from 0 on, got {_told(labels)}{lowest}; or give a loss"
        )
    return Samples(inputs, labels, name)


def check_alike(data: Samples, validation: Samples) -> None:
    """DataError unless a sample of both has the same shape and type."""
    wanted, got = (_told(samples.inputs[0]) for samples in (data, validation))
    if wanted != got:
        raise DataError(f"validation: need inputs of {wanted} a sample, as those trained on, got {got}")


def order_of(num_samples: int, seed: int, epoch: int) -> torch.Tensor:
    """All samples' numbers in the order of `epoch`, [sample]; it depends on nothing but seed and epoch."""
    return torch.randperm(num_samples, generator=derive_generator(seed, "order", epoch))


def _told(value: object) -> str:
    if not isinstance(value, torch.Tensor):
        return "none" if value is None else f"a {type(value).__name__}"
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
