"""NumPy and safetensors files, and labels on their own."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from crossloom.datasets import load_dataset, load_labels
from crossloom.errors import DataError


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """A file of the suffix's kind."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    else:
        save_file(dict(arrays), path)
    return path


@pytest.fixture(params=["set.npz", "set.safetensors"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where a file of each kind goes."""
    return tmp_path / request.param


def test_inputs_and_labels_are_read(path: Path) -> None:
    inputs = np.random.default_rng(0).normal(size=(6, 2, 5))
    write(path, {"inputs": inputs, "labels": np.arange(6, dtype=np.int32)})
    dataset = load_dataset(path, limit=4)
    assert torch.equal(dataset.inputs, torch.from_numpy(inputs[:4]).float())
    assert dataset.labels is not None
    assert dataset.labels.dtype == torch.int64
    assert len(dataset) == 4


def test_pixels_become_numbers_from_zero_to_one_with_a_channel(path: Path) -> None:
    write(path, {"images": np.full((3, 4, 5), 255, np.uint8)})
    dataset = load_dataset(path)
    assert dataset.inputs.shape == (3, 1, 4, 5)
    assert (dataset.inputs == 1).all()
    assert dataset.labels is None


def test_numbers_of_tokens_stay_whole(path: Path) -> None:
    write(path, {"inputs": np.arange(6, dtype=np.int32).reshape(2, 3)})
    assert load_dataset(path).inputs.dtype == torch.int64


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"weights": np.zeros(3)}, "called inputs or images"),
        ({"inputs": np.zeros((0, 3))}, "at least one sample"),
        ({"inputs": np.zeros((2, 3)), "labels": np.zeros(3, np.int64)}, "one label for each of 2"),
        ({"inputs": np.zeros((2, 3)), "labels": np.zeros(2)}, "labels must be whole numbers"),
        ({"inputs": np.zeros((2, 3)), "labels": np.zeros((2, 1), np.int64)}, "labels must be whole numbers"),
        ({"inputs": np.array([[1.0, np.inf]])}, "NaN or infinite"),
        ({"inputs": np.zeros((2, 3), bool)}, "must be numbers"),
        ({"images": np.zeros((2, 3))}, "images must be"),
        ({"images": np.zeros((2, 8, 8, 3))}, "move the channels to axis 1"),
    ],
)
def test_what_does_not_fit_is_refused(path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(DataError, match=said):
        load_dataset(write(path, arrays))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_named(path: Path, share: float) -> None:
    data = write(path, {"inputs": np.zeros((50, 3))}).read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match="is truncated or cannot be read"):
        load_dataset(path)


def test_objects_in_an_npz_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", inputs=np.array([{}]))
    with pytest.raises(DataError, match="allow_pickle"):
        load_dataset(tmp_path / "set.npz")


def test_labels_come_from_any_of_their_files(tmp_path: Path) -> None:
    numbers = np.array([3, 1, 2])
    np.save(tmp_path / "a.npy", numbers)
    np.savez(tmp_path / "b.npz", labels=numbers)
    save_file({"labels": numbers}, tmp_path / "c.safetensors")
    (tmp_path / "d.txt").write_text("3\n1\n2\n")
    for path in tmp_path.iterdir():
        assert load_labels(path).tolist() == [3, 1, 2]


@pytest.mark.parametrize("text", ["", "1\ntwo\n", "1 2\n3 4\n", "1.5\n"])
def test_other_text_is_no_labels(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.txt").write_text(text)
    with pytest.raises(DataError, match="labels"):
        load_labels(tmp_path / "labels.txt")
