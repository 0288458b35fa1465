"""CIFAR-10 as published for Python: pickled batches, read without running anything that is in them."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from crossloom.errors import DataError
from crossloom.progress import track

FOLDER = "cifar-10-batches-py"
_FILES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
_NUM_PIXELS = 3 * 32 * 32


def cifar_splits(files: set[str]) -> tuple[str, ...]:
    """The splits that a folder with these file names begins to hold."""
    return tuple(split for split, names in _FILES.items() if not files.isdisjoint(names))


def read_cifar(folder: Path, split: str, limit: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Images [sample, 3, 32, 32] uint8 (red, green, blue) and labels [sample] from 0 to 9, at most `limit`."""
    images, labels, missing = [], [], limit
    for name in track(_FILES[split], "reading CIFAR-10", len(_FILES[split])):
        pixels, classes = _read_batch(folder / name)
        images.append(pixels[:missing])
        labels.append(classes[:missing])
        missing = None if missing is None else missing - len(images[-1])
        if missing == 0:
            break
    return torch.cat(images).view(-1, 3, 32, 32), torch.cat(labels)


def _read_batch(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    batch = _unpickle(path)
    fields = batch if isinstance(batch, dict) else {}
    pixels, labels = fields.get(b"data"), fields.get(b"labels")
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (_NUM_PIXELS,):
        got = (
            f"{pixels.dtype} {list(pixels.shape)}"
            if isinstance(pixels, np.ndarray)
            else type(pixels).__name__
        )
        raise DataError(
            f"{path}: need data of uint8 [sample, {_NUM_PIXELS}], got {got}; fetch CIFAR-10 again"
        )
    if not isinstance(labels, list) or len(labels) != len(pixels) or not all(map(_is_class, labels)):
        raise DataError(
            f"{path}: need a label from 0 to 9 for each of {len(pixels)} images; fetch CIFAR-10 again"
        )
    return torch.from_numpy(pixels.copy()), torch.tensor(labels, dtype=torch.int64)


def _is_class(label: object) -> bool:
    return isinstance(label, int) and 0 <= label < 10


def _unpickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _ArrayUnpickler(file, encoding="bytes").load()
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path} is missing; fetch CIFAR-10 (python version) again") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise DataError(f"{path} is truncated or no CIFAR-10 batch ({error})") from None


def _empty_array(kind: type, shape: tuple[int, ...], dtype: object) -> np.ndarray:
    """What NumPy's own `_reconstruct` does, for plain arrays alone."""
    if kind is not np.ndarray or tuple(shape) != (0,):
        raise DataError("an array in it is made in an unknown way; fetch CIFAR-10 again")
    return np.ndarray.__new__(np.ndarray, (0,), "b")


class _ArrayUnpickler(pickle.Unpickler):
    """Admits dictionaries, lists, numbers, bytes and plain NumPy arrays: all that CIFAR-10's files need."""

    _ADMITTED = {  # noqa: RUF012
        ("numpy.core.multiarray", "_reconstruct"): _empty_array,
        ("numpy._core.multiarray", "_reconstruct"): _empty_array,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ADMITTED:
            raise DataError(
                f"a CIFAR-10 batch asks for {module}.{name}, which such files never need; do not trust it"
            )
        return self._ADMITTED[module, name]
