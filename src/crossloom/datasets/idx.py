"""MNIST and EMNIST as published: IDX files, plain or gzipped."""

import gzip
import re
import zlib
from math import prod
from pathlib import Path

import torch

from crossloom.errors import DataError

_IMAGES = re.compile(r"(?P<prefix>.*?)(?P<split>train|t10k|test)-images-idx3-ubyte(\.gz)?")
_UNSIGNED_BYTE = 0x08


def idx_prefixes(files: set[str]) -> list[str]:
    """What comes before `train-images...` and `test-images...` in these file names: one per data set."""
    return sorted({match["prefix"] for match in map(_IMAGES.fullmatch, files) if match})


def idx_splits(files: set[str], prefix: str) -> list[str]:
    """The splits that are there for a prefix."""
    matches = [match for match in map(_IMAGES.fullmatch, files) if match and match["prefix"] == prefix]
    return sorted({"train" if match["split"] == "train" else "test" for match in matches})


def read_idx_set(
    folder: Path, prefix: str, split: str, limit: int | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Images [sample, 1, row, column] uint8, and labels [sample] if their file is there; at most `limit`."""
    stems = [f"{prefix}{word}" for word in (("train",) if split == "train" else ("t10k", "test"))]
    images_path = _first_file(folder, [f"{stem}-images-idx3-ubyte" for stem in stems])
    if images_path is None:
        raise DataError(f"{folder}: there is no {stems[0]}-images-idx3-ubyte, plain or .gz")
    images = read_idx(images_path, 3)
    labels_path = _first_file(folder, [f"{stem}-labels-idx1-ubyte" for stem in stems])
    if labels_path is None:
        return images[:limit].unsqueeze(1), None
    labels = read_idx(labels_path, 1)
    if len(labels) != len(images):
        raise DataError(
            f"{labels_path}: {len(labels)} labels for {len(images)} images; fetch the files again"
        )
    return images[:limit].unsqueeze(1), labels[:limit].long()


def read_idx(path: Path, num_axes: int) -> torch.Tensor:
    """The uint8 array of one IDX file. DataError when it is truncated, too long, or holds something else."""
    data = _read_bytes(path)
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DataError(f"{path} is no IDX file")
    if data[2] != _UNSIGNED_BYTE or data[3] != num_axes:
        raise DataError(
            f"{path}: need bytes (type {_UNSIGNED_BYTE}) on {num_axes} axes, got type {data[2]} on {data[3]} axes"
        )
    start = 4 + 4 * num_axes
    shape = [int.from_bytes(data[place : place + 4], "big") for place in range(4, start, 4)]
    if len(data) != start + prod(shape):
        raise DataError(
            f"{path}: need {prod(shape)} bytes for {shape}, got {len(data) - start}; fetch it again"
        )
    return (
        torch.frombuffer(bytearray(data[start:]), dtype=torch.uint8).view(shape)
        if prod(shape)
        else torch.empty(shape, dtype=torch.uint8)
    )


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (EOFError, zlib.error, OSError) as error:
        raise DataError(f"{path} is truncated or cannot be read ({error})") from None


def _first_file(folder: Path, names: list[str]) -> Path | None:
    found = (folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz"))
    return next((path for path in found if path.is_file()), None)
