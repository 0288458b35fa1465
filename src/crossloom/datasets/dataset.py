"""What every reader gives: inputs, labels, a name."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from crossloom.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """Samples in memory.

    inputs: [sample, ...], float32; images are [sample, channel, row, column] from 0 to 1 until normalised.
        Integers other than pixels (numbers of tokens) stay int64.
    labels: [sample], int64 class numbers as the files have them; None where there are none.
    name: which set, and which split of it.

    Raises DataError when it is empty, not finite, or the labels are of another number.
    """

    inputs: torch.Tensor = field(repr=False)
    labels: torch.Tensor | None = field(repr=False)
    name: str

    def __post_init__(self) -> None:
        if self.inputs.dim() < 1 or self.inputs.numel() == 0:
            raise DataError(f"{self.name}: need at least one sample, got inputs {list(self.inputs.shape)}")
        if self.inputs.is_floating_point() and not bool(torch.isfinite(self.inputs).all()):
            raise DataError(f"{self.name}: inputs hold NaN or infinite values; remove them first")
        if self.labels is not None and tuple(self.labels.shape) != (len(self.inputs),):
            raise DataError(
                f"{self.name}: need one label for each of {len(self.inputs)} samples, got labels "
                f"{list(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def normalize(self, mean: Sequence[float], std: Sequence[float]) -> "Dataset":
        """(inputs - mean) / std, with one number of each for all channels, or one per channel (axis 1).

        Raises DataError when there are as many numbers neither as channels nor one, or a std is not above 0.
        """
        channels = self.inputs.shape[1] if self.inputs.dim() > 1 else 1
        if len(mean) != len(std) or len(mean) not in (1, channels):
            raise DataError(
                f"{self.name}: need 1 or {channels} numbers for mean and std, got {len(mean)} and {len(std)}"
            )
        if not all(number > 0 for number in std):
            raise DataError(f"{self.name}: need every std > 0, got {list(std)}")
        if not self.inputs.is_floating_point():
            raise DataError(
                f"{self.name}: inputs are {self.inputs.dtype} numbers; only floats can be normalised"
            )
        shape = [1, -1, *[1] * (self.inputs.dim() - 2)] if self.inputs.dim() > 1 else [-1]
        inputs = (self.inputs - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
        return replace(self, inputs=inputs)
