"""NumPy and safetensors files that hold `inputs` or `images`, and maybe `labels`."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from crossloom.errors import DataError

SUFFIXES = (".npz", ".safetensors")
_INPUTS = ("inputs", "images")


def holds_inputs(path: Path) -> bool:
    """Whether a file names `inputs` or `images`; False when it cannot be read."""
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                names = {name.removesuffix(".npy") for name in archive.namelist()}
        else:
            with safe_open(path, framework="pt") as file:
                names = set(file.keys())
    except (OSError, zipfile.BadZipFile, SafetensorError):
        return False
    return not names.isdisjoint(_INPUTS)


def read_table(path: Path, limit: int | None) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Inputs [sample, ...] and labels [sample], at most `limit`; images without a channel axis get one."""
    tensors = _read_tensors(path)
    name = next((name for name in _INPUTS if name in tensors), None)
    if name is None:
        raise DataError(
            f"{path}: need an array called inputs or images, got {', '.join(sorted(tensors)) or 'none'}"
        )
    inputs = tensors[name]
    if inputs.dim() < 1 or not (inputs.is_floating_point() or inputs.dtype in _INTEGERS):
        raise DataError(
            f"{path}: {name} must be numbers [sample, ...], got {inputs.dtype} {list(inputs.shape)}"
        )
    if name == "images":
        inputs = _with_channels(inputs, path)
    labels = None if "labels" not in tensors else _check_labels(tensors["labels"], path)
    if labels is not None and len(labels) != len(inputs):
        raise DataError(f"{path}: need one label for each of {len(inputs)} samples, got {len(labels)}")
    return inputs[:limit], None if labels is None else labels[:limit]


def load_labels(path: str | Path) -> torch.Tensor:
    """Labels [sample] int64 from .npy, from `labels` in .npz or .safetensors, or from text with one a line.

    Raises DataError when the file is missing, damaged, or holds anything but whole numbers on one axis.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"labels: there is no file {path}")
    if path.suffix in SUFFIXES:
        tensors = _read_tensors(path)
        if "labels" not in tensors:
            raise DataError(
                f"{path}: need an array called labels, got {', '.join(sorted(tensors)) or 'none'}"
            )
        return _check_labels(tensors["labels"], path)
    try:
        values = np.load(path, allow_pickle=False) if path.suffix == ".npy" else _read_lines(path)
        return _check_labels(torch.from_numpy(values), path)
    except (ValueError, OSError, EOFError, TypeError) as error:
        raise DataError(f"{path} cannot be read as labels ({error})") from None


def _read_lines(path: Path) -> np.ndarray:
    numbers = [int(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
    if not numbers:
        raise ValueError("it is empty")
    return np.array(numbers, np.int64)


_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def _read_tensors(path: Path) -> Mapping[str, torch.Tensor]:
    wanted = (*_INPUTS, "labels")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return {name: torch.from_numpy(archive[name]) for name in archive.files if name in wanted}
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if name in wanted}  # noqa: SIM118
    except (SafetensorError, zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError, TypeError) as error:
        raise DataError(f"{path} is truncated or cannot be read ({error})") from None


def _with_channels(images: torch.Tensor, path: Path) -> torch.Tensor:
    if images.dim() == 3:
        return images.unsqueeze(1)
    if images.dim() != 4 or (images.shape[1] not in (1, 2, 3, 4) and images.shape[3] in (1, 3, 4)):
        raise DataError(
            f"{path}: images must be [sample, channel, row, column] or [sample, row, column], got "
            f"{list(images.shape)}; move the channels to axis 1"
        )
    return images


def _check_labels(labels: torch.Tensor, path: Path) -> torch.Tensor:
    if labels.dim() != 1 or labels.dtype not in _INTEGERS:
        raise DataError(
            f"{path}: labels must be whole numbers [sample], got {labels.dtype} {list(labels.shape)}"
        )
    return labels.long()
