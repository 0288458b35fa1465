"""The data of a tuning: samples to tune with, and samples that it never sees."""

from dataclasses import dataclass, field

import torch

from crossloom.calibration import fixed_batch
from crossloom.datasets import Dataset
from crossloom.errors import DataError
from crossloom.graph import check_inputs
from crossloom.programming import ProgrammedChips, check_lasting
from crossloom.runtime import Batch

Samples = tuple[torch.Tensor, ...]
Data = Batch | Dataset


@dataclass(frozen=True)
class Part:
    """Some samples; labels where there are any."""

    samples: Samples = field(repr=False)
    labels: torch.Tensor | None = field(repr=False)

    def __len__(self) -> int:
        return len(self.samples[0])


def split(chips: ProgrammedChips, data: Data, num_samples: int, held_out: float) -> tuple[Part, Part]:
    """Samples to tune with, at most `num_samples`, and the share `held_out` that takes no part.

    data: a tensor [sample, ...], a tuple of them for several inputs, or a `Dataset`, which has labels.

    Raises DataError when they are no tensors of one length, are too few, or do not fit the model, ProgramError for
    chips that are written anew for every batch.
    """
    check_lasting(chips.placement, "tune")
    samples, labels = _parts(data)
    number, size = len(samples[0]), fixed_batch(chips.placement.mapped)
    num_held = max(round(number * held_out), 1)
    num_tuned = min(number - num_held, num_samples)
    if size is not None:
        num_tuned, num_held = size, (number - size) // size * size
    if num_tuned < (size or 2) or num_held < (size or 1):
        raise DataError(
            f"tuning needs at least {2 * (size or 2)} samples, some to tune with and some to judge by, got {number}"
        )
    tuned = _cut(samples, labels, 0, num_tuned)
    check_inputs(chips.placement.mapped.quantized.graph, tuned.samples)
    return tuned, _cut(samples, labels, number - num_held, number)


def _parts(data: Data) -> tuple[Samples, torch.Tensor | None]:
    labels = data.labels if isinstance(data, Dataset) else None
    found = data.inputs if isinstance(data, Dataset) else data
    samples = (found,) if isinstance(found, torch.Tensor) else tuple(found)
    if not samples or not all(isinstance(part, torch.Tensor) and part.dim() for part in samples):
        raise DataError("tuning data must be a Dataset, a tensor [sample, ...], or a tuple of such tensors")
    lengths = {len(part) for part in (*samples, *(() if labels is None else (labels,)))}
    if len(lengths) > 1:
        raise DataError(f"inputs and labels need the same number of samples, got {sorted(lengths)}")
    return samples, labels


def _cut(samples: Samples, labels: torch.Tensor | None, start: int, stop: int) -> Part:
    return Part(tuple(part[start:stop] for part in samples), None if labels is None else labels[start:stop])
