"""Tiny files in the published formats."""

import gzip
import pickle
from pathlib import Path

import numpy as np


def write_cifar(folder: Path, size: int = 4) -> Path:
    """`cifar-10-batches-py` with `size` images in each of six batches; every pixel of an image is its number."""
    inner = folder / "cifar-10-batches-py"
    inner.mkdir(parents=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    for first, name in enumerate(names):
        numbers = np.arange(first * size, (first + 1) * size)
        pixels = np.repeat(numbers[:, None], 3072, 1).astype(np.uint8)
        batch = {
            b"batch_label": b"tiny",
            b"data": pixels,
            b"labels": [int(number) % 10 for number in numbers],
        }
        (inner / name).write_bytes(pickle.dumps(batch, protocol=4))
    return inner


def idx_bytes(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, prefix: str = "", size: int = 5, zipped: bool = True) -> Path:
    """Train and test files as MNIST's; pixel [sample, row, column] is 100 sample + 10 row + column."""
    folder.mkdir(parents=True, exist_ok=True)
    images = np.arange(size)[:, None, None] * 50 + np.arange(4)[:, None] * 10 + np.arange(3)
    for split in ("train", "test" if prefix else "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(size))):
            path = folder / f"{prefix}{split}-{kind}-ubyte"
            data = idx_bytes(array)
            if zipped:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(data))
            else:
                path.write_bytes(data)
    return folder
