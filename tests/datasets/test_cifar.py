"""CIFAR-10's pickles: read as published, and nothing else in them runs."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from files import write_cifar

from crossloom.datasets import load_dataset
from crossloom.errors import DataError


def test_images_come_by_channel_row_column_from_zero_to_one(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    train = load_dataset(tmp_path, "train")
    assert train.inputs.shape == (20, 3, 32, 32)
    assert train.inputs.dtype == torch.float32
    assert torch.equal(train.inputs[:, 0, 0, 0], torch.arange(20) / 255)
    assert train.labels is not None
    assert train.labels.tolist() == [number % 10 for number in range(20)]


def test_the_inner_folder_will_do_as_well(tmp_path: Path) -> None:
    inner = write_cifar(tmp_path)
    assert torch.equal(load_dataset(inner).inputs, load_dataset(tmp_path).inputs)


@pytest.mark.parametrize("limit", [1, 4, 5, 20, 99])
def test_a_limit_takes_the_first_samples_over_batches(tmp_path: Path, limit: int) -> None:
    write_cifar(tmp_path)
    whole, part = load_dataset(tmp_path, "train"), load_dataset(tmp_path, "train", limit)
    assert torch.equal(part.inputs, whole.inputs[:limit])


def test_code_in_a_batch_is_refused_and_does_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "harm"),)

    inner = write_cifar(tmp_path)
    (inner / "test_batch").write_bytes(pickle.dumps({b"data": Harm()}))
    with pytest.raises(DataError, match=r"asks for posix\.mkdir"):
        load_dataset(tmp_path)
    assert not (tmp_path / "harm").exists()


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    inner = write_cifar(tmp_path)
    (inner / "test_batch").write_bytes(pickle.dumps({b"data": np.array([None]), b"labels": [0]}, protocol=4))
    with pytest.raises(DataError, match="uint8"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("keep", [0, 1, 100, 5000, -1])
def test_a_truncated_batch_is_named(tmp_path: Path, keep: int) -> None:
    path = write_cifar(tmp_path) / "test_batch"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="test_batch is truncated"):
        load_dataset(tmp_path)


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    (write_cifar(tmp_path) / "data_batch_3").unlink()
    with pytest.raises(DataError, match="data_batch_3 is missing"):
        load_dataset(tmp_path, "train")
    assert len(load_dataset(tmp_path)) == 4


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({b"data": np.zeros((2, 3071), np.uint8), b"labels": [0, 1]}, "3071"),
        ({b"data": np.zeros((2, 3072), np.int64), b"labels": [0, 1]}, "int64"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, "label from 0 to 9"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 10]}, "label from 0 to 9"),
        ({b"data": np.zeros((2, 3072), np.uint8)}, "label from 0 to 9"),
        ([1, 2], "NoneType"),
    ],
)
def test_a_batch_of_another_content_is_refused(tmp_path: Path, batch: object, said: str) -> None:
    (write_cifar(tmp_path) / "test_batch").write_bytes(pickle.dumps(batch, protocol=4))
    with pytest.raises(DataError, match=said):
        load_dataset(tmp_path)
