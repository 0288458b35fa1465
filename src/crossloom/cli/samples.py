"""Samples for the commands: to calibrate on, and to answer."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossloom.cli.choices import parse_normalize
from crossloom.errors import DataError

if TYPE_CHECKING:
    import torch

    from crossloom.datasets import Dataset
    from crossloom.runtime import RunResult

_BATCH = 64


def load_samples(
    data: str | None, split: str, normalize: str | None, limit: int | None = None, labels: Path | None = None
) -> "Dataset":
    """Samples of one split, normalised; `labels` takes the place of the data's own."""
    from crossloom.datasets import load_dataset, load_labels

    dataset = load_dataset(data, split, limit)
    if labels is not None:
        own = load_labels(labels)
        if len(own) < len(dataset):
            raise DataError(f"{labels}: need one label for each of {len(dataset)} samples, got {len(own)}")
        dataset = replace(dataset, labels=own[: len(dataset)])
    return dataset if normalize is None else dataset.normalize(*parse_normalize(normalize))


def load_calibration(
    data: str | None, normalize: str | None, num_samples: int, fixed_batch: int | None
) -> "list[torch.Tensor]":
    """Calibration batches: the first samples of the train split; where there is none, samples spread evenly
    over the test split, and a note that says so."""
    from crossloom.datasets import find_source

    if "train" in find_source(data).splits:
        inputs = load_samples(data, "train", normalize, num_samples).inputs
    else:
        dataset = load_samples(data, "test", normalize)
        inputs = dataset.inputs[:: max(len(dataset) // num_samples, 1)][:num_samples]
        print(
            f"note: no train split; calibrating on {len(inputs)} samples of {dataset.name}", file=sys.stderr
        )
    size = fixed_batch or _BATCH
    if fixed_batch and len(inputs) < fixed_batch:
        raise DataError(f"the model fixes its batch at {fixed_batch} samples, calibration has {len(inputs)}")
    batches = list(inputs.split(size))
    return batches[:-1] if fixed_batch and len(batches[-1]) < fixed_batch else batches


def labels_for(
    result: "RunResult", data: str | None, split: str, normalize: str | None, labels: Path | None
) -> "torch.Tensor | None":
    """The labels of the samples of a result, from a file or from the data that it answered; else None.

    Raises DataError when the data are not those that were answered: other samples, or otherwise normalised.
    """
    from crossloom.datasets import load_labels

    num_samples = len(result.inputs[0])
    if labels is not None:
        return load_labels(labels)
    if data is None:
        return None
    dataset = load_samples(data, split, normalize, num_samples)
    same = dataset.inputs.shape == result.inputs[0].shape and bool((dataset.inputs == result.inputs[0]).all())
    if not same:
        raise DataError(
            f"the result's inputs are not the first {num_samples} samples of {dataset.name}; give --split and "
            "--normalize as for the run, or --labels"
        )
    return dataset.labels


def load_tuning(
    data: str | None, normalize: str | None, num_samples: int, num_held_out: int
) -> "tuple[Dataset, int]":
    """Samples to tune with, the first of the train split, and behind them those to judge by, of the test split; and how
    many are to tune with.

    Where there is no train split, both are of the test split, in proportion where it is too small, and a note says so.
    """
    import torch

    from crossloom.datasets import find_source

    if "train" not in find_source(data).splits:
        dataset = load_samples(data, "test", normalize, num_samples + num_held_out)
        print(
            f"note: no train split; tuning and judging on samples of {dataset.name}, none of them for both",
            file=sys.stderr,
        )
        number = len(dataset) * num_samples // (num_samples + num_held_out)
        return dataset, min(max(number, 1), len(dataset) - 1)
    parts = [
        load_samples(data, split, normalize, number)
        for split, number in (("train", num_samples), ("test", num_held_out))
    ]
    known = [part.labels for part in parts if part.labels is not None]
    labels = torch.cat(known) if len(known) == len(parts) else None
    joined = replace(parts[0], inputs=torch.cat([part.inputs for part in parts]), labels=labels)
    return joined, len(parts[0])
