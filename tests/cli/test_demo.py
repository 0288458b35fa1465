"""The demo: an honest network, always split alike, and a whole run from a short training."""

from pathlib import Path

import pytest
import torch
from torch import nn

from crossloom.cli import demo
from crossloom.runtime import RunResult

pytest.importorskip("sklearn")


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrow network and a short training; the real ones run in `make demo`."""

    def make_network() -> nn.Module:
        pooled = (nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        return nn.Sequential(*pooled, nn.Linear(8 * 3 * 3, 10))

    monkeypatch.setattr(demo, "make_network", make_network)
    monkeypatch.setattr(demo, "LEARNING_RATE", 2e-2)
    monkeypatch.setattr(demo, "NUM_EPOCHS", 4)


def test_digits_are_always_split_alike() -> None:
    (train, test), (again, _) = demo.load_digits(), demo.load_digits()
    assert torch.equal(train.inputs, again.inputs)
    assert (len(train), len(test)) == (1347, 450)
    assert train.inputs.shape[1:] == (1, 8, 8)
    assert (train.inputs.min(), train.inputs.max()) == (0, 1)


def test_training_leaves_the_users_random_numbers_alone() -> None:
    train, _ = demo.load_digits()
    state = torch.get_rng_state()
    first, second = (demo.train_network(train).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_demo_runs_from_end_to_end(crossloom) -> None:
    answer = crossloom("demo")
    assert answer.code == 0
    assert "report: out/demo/report.html" in answer.out
    _, test = demo.load_digits()
    accuracy = (RunResult.load("out/demo/result.xloom").outputs.argmax(1) == test.labels).double().mean()  # pyright: ignore
    assert accuracy > 0.3
    assert Path("out/demo/report.html").stat().st_size > 100_000


def test_without_scikit_learn_the_demo_names_the_extra(crossloom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn", None)
    answer = crossloom("demo")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "pip install 'crossloom[demo]'" in answer.err
    assert not Path("out").exists()
