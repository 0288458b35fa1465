"""Where data are looked for, and which of several sets is taken."""

from pathlib import Path

import numpy as np
import pytest
import torch
from files import write_cifar, write_idx

from crossloom.datasets import Dataset, find_data, find_sources, load_dataset
from crossloom.errors import DataError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with several sets, named by CROSSLOOM_DATA."""
    write_cifar(tmp_path / "cifar10")
    write_idx(tmp_path / "MNIST" / "raw")
    write_idx(tmp_path / "EMNIST" / "raw", "emnist-letters-")
    (tmp_path / "mine").mkdir()
    for split in ("train", "test"):
        np.savez(tmp_path / "mine" / f"{split}.npz", inputs=np.ones((2, 3)))
    np.savez(tmp_path / "other.npz", images=np.ones((2, 3, 3)))
    np.savez(tmp_path / "weights.npz", weight=np.ones(3))
    monkeypatch.setenv("CROSSLOOM_DATA", str(tmp_path))
    return tmp_path


def test_every_set_of_a_tree_is_found(tree: Path) -> None:
    found = {source.name: sorted(source.splits) for source in find_sources(tree)}
    both = ["test", "train"]
    assert found == {"cifar10": both, "emnist-letters": both, "mine": both, "mnist": both, "other": ["test"]}


@pytest.mark.parametrize("name", ["cifar10", "emnist-letters", "mine", "mnist", "other", "MNIST"])
def test_a_name_picks_one_of_them(tree: Path, name: str) -> None:
    assert load_dataset(name=name).name == f"{name.lower()} test"
    if not (tree / name).exists():
        assert load_dataset(name).name == f"{name.lower()} test"


def test_several_sets_need_a_choice(tree: Path) -> None:
    with pytest.raises(DataError, match=r"several data sets \(cifar10, emnist-letters, mine, mnist, other\)"):
        load_dataset()
    with pytest.raises(DataError, match="did you mean cifar10"):
        load_dataset(name="cifar")


def test_a_path_goes_before_the_environment(tree: Path) -> None:
    assert find_data(tree / "mine") == tree / "mine"
    assert find_data() == tree


def test_without_either_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CROSSLOOM_DATA", raising=False)
    with pytest.raises(DataError, match="set CROSSLOOM_DATA"):
        find_data()
    monkeypatch.setenv("CROSSLOOM_DATA", str(tmp_path / "absent"))
    with pytest.raises(DataError, match="CROSSLOOM_DATA: there is no file or folder"):
        find_data()
    with pytest.raises(DataError, match="data: there is no file or folder"):
        find_data(tmp_path / "gone")


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(DataError, match="holds no data set that crossloom reads"):
        load_dataset(tmp_path)
    with pytest.raises(DataError, match="holds no data set that crossloom reads"):
        load_dataset(tmp_path / "notes.txt")


def test_a_limit_below_one_is_refused(tree: Path) -> None:
    with pytest.raises(DataError, match="limit >= 1"):
        load_dataset(name="mnist", limit=0)


def test_normalising_is_by_channel_or_by_one_number() -> None:
    images = Dataset(torch.rand(2, 3, 4, 4), None, "set")
    by_channel = images.normalize((0.1, 0.2, 0.3), (1, 2, 4))
    torch.testing.assert_close(by_channel.inputs[:, 2], (images.inputs[:, 2] - 0.3) / 4)
    torch.testing.assert_close(images.normalize([0.5], [0.5]).inputs, images.inputs * 2 - 1)


@pytest.mark.parametrize(("mean", "std"), [((0, 0), (1, 1)), ((0,), (0,)), ((0,), (1, 1, 1)), ((), ())])
def test_normalising_by_impossible_numbers_is_refused(mean: tuple, std: tuple) -> None:
    with pytest.raises(DataError):
        Dataset(torch.rand(2, 3, 4, 4), None, "set").normalize(mean, std)
