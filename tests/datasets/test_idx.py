"""MNIST's and EMNIST's files: plain or zipped, whole or refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from files import idx_bytes, write_idx

from crossloom.datasets import load_dataset
from crossloom.errors import DataError


@pytest.mark.parametrize("zipped", [False, True])
def test_images_and_labels_are_read(tmp_path: Path, zipped: bool) -> None:
    write_idx(tmp_path / "MNIST" / "raw", zipped=zipped)
    test = load_dataset(tmp_path / "MNIST")
    assert (test.name, test.inputs.shape) == ("mnist test", (5, 1, 4, 3))
    assert test.inputs[2, 0, 1, 2] == torch.tensor(112) / 255
    assert test.labels is not None
    assert test.labels.tolist() == [0, 1, 2, 3, 4]


def test_emnist_is_called_by_its_prefix(tmp_path: Path) -> None:
    write_idx(tmp_path, "emnist-letters-")
    write_idx(tmp_path, "emnist-digits-")
    with pytest.raises(DataError, match="several data sets \\(emnist-digits, emnist-letters\\)"):
        load_dataset(tmp_path)
    assert load_dataset(tmp_path, name="emnist-letters").name == "emnist-letters test"


def test_labels_may_be_absent(tmp_path: Path) -> None:
    (write_idx(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    assert load_dataset(tmp_path, limit=2).labels is None


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (write_idx(tmp_path) / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match="has no 'train' split here; it has: test"):
        load_dataset(tmp_path, "train")


@pytest.mark.parametrize("keep", [0, 3, 10, 20, -1])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int, zipped: bool) -> None:
    path = write_idx(tmp_path, zipped=zipped) / f"t10k-images-idx3-ubyte{'.gz' if zipped else ''}"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\1\0\x08\3" + bytes(20), "is no IDX file"),
        (b"\0\0\x0d\3" + bytes(12), "got type 13 on 3 axes"),
        (idx_bytes(np.zeros((5, 4))), "got type 8 on 2 axes"),
        (idx_bytes(np.zeros((5, 4, 3))) + b"\0", "need 60 bytes for \\[5, 4, 3\\], got 61"),
        (idx_bytes(np.zeros((0, 4, 3))), "labels for 0 images"),
    ],
)
def test_a_file_of_another_content_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    (write_idx(tmp_path) / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(data))
    with pytest.raises(DataError, match=said):
        load_dataset(tmp_path)


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    folder = write_idx(tmp_path, size=0)
    with pytest.raises(DataError, match="need at least one sample"):
        load_dataset(folder)
