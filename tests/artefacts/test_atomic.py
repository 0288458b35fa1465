"""An interrupted save leaves the old file whole, and no partial one behind."""

import os
import stat

import pytest
import torch

from crossloom.artefacts import artefact as artefact_module
from crossloom.artefacts import atomic_path
from crossloom.graph import Graph
from small_graphs import linear_graph


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_whatever_interrupts_the_old_file_stays(tmp_path, interruption):
    path = tmp_path / "file"
    path.write_text("old")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_text("half of the ne")
            raise interruption

    with pytest.raises(interruption):
        write_half()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_an_interruption_leaves_no_new_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "file"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_the_new_file_takes_the_old_ones_place_only_at_the_end(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("when", ["save_file", "os.replace"])
def test_an_interrupted_save_leaves_the_old_artefact_whole(tmp_path, monkeypatch, interruption, when):
    path = tmp_path / "graph"
    old, new = (linear_graph(torch.full((2, 2), value)) for value in (1.0, 2.0))
    old.save(path)

    def interrupt(*args, **kwargs):
        raise interruption

    if when == "save_file":
        monkeypatch.setattr(artefact_module, "save_file", interrupt)
    else:
        monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(BaseException):  # noqa: PT011
        new.save(path)
    monkeypatch.undo()
    assert torch.equal(Graph.load(path).tensors["w"], old.tensors["w"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["graph"]


def test_two_saves_at_once_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"


def test_the_file_has_the_rights_that_any_new_file_has(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
