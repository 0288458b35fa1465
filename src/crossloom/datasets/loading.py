"""`load_dataset`: one call for every format."""

from pathlib import Path

import torch

from crossloom.datasets.cifar import read_cifar
from crossloom.datasets.dataset import Dataset
from crossloom.datasets.finding import Source, find_source
from crossloom.datasets.idx import read_idx_set
from crossloom.datasets.tables import read_table
from crossloom.errors import DataError


def load_dataset(
    path: str | Path | None = None, split: str = "test", limit: int | None = None, name: str | None = None
) -> Dataset:
    """Read a data set, recognised by its content.

    Args:
        path: a folder that holds (or is) `cifar-10-batches-py`, MNIST or EMNIST files as published (plain or
            .gz, in `raw` or not), or .npz or .safetensors files with `inputs` or `images`, and maybe `labels`;
            or such a file; or the name of a set in the folder $CROSSLOOM_DATA. None for $CROSSLOOM_DATA itself.
        split: `test` or `train`. A single .npz or .safetensors file is its own test split.
        limit: at most this many samples, the first ones.
        name: which of several sets in `path`, such as `cifar10` or `emnist-letters`.

    Images come as [sample, channel, row, column] float32 from 0 to 1. EMNIST's images lie transposed in the
    files, and stay so, as in torchvision; its labels of letters count from 1.

    Raises DataError when there is no such set or split, or a file is truncated, empty or of a wrong shape.
    """
    if limit is not None and limit < 1:
        raise DataError(f"need limit >= 1, got {limit}")
    source = find_source(path, name)
    if split not in source.splits:
        raise DataError(
            f"{source.name} has no {split!r} split here; it has: {', '.join(sorted(source.splits))}"
        )
    inputs, labels = _read(source, split, limit)
    return Dataset(_floats(inputs), labels, f"{source.name} {split}")


def _read(source: Source, split: str, limit: int | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    place = source.splits[split]
    if source.kind == "cifar10":
        return read_cifar(place, split, limit)
    if source.kind == "idx":
        return read_idx_set(place, source.prefix, split, limit)
    return read_table(place, limit)


def _floats(inputs: torch.Tensor) -> torch.Tensor:
    if inputs.dtype == torch.uint8:
        return inputs.float() / 255
    return inputs.float() if inputs.is_floating_point() else inputs.long()
