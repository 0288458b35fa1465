"""The shared run of the six models' recipes, on a network that takes a second."""

import json
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from crossloom.errors import ArtefactError, DataError
from recipes.six_models import __main__ as command
from recipes.six_models import mlp, running, training
from recipes.six_models.evaluation import Deployment, compile_on_chips
from recipes.six_models.running import TASKS
from recipes.six_models.task import Samples, Schedule, split


def load(data, part: str) -> Samples:
    """Four classes of 16 numbers each, well apart."""
    generator = torch.Generator().manual_seed({"train": 0, "test": 1}[part])
    labels = torch.arange(320) % 4
    centres = torch.eye(4).repeat_interleave(4, 1) * 2
    return Samples(centres[labels] + 0.3 * torch.randn(320, 16, generator=generator), labels)


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 4))


SMALL = replace(
    mlp.TASK,
    name="small",
    title="a small network",
    build=build,
    load=load,
    schedule=Schedule(epochs=3, mapped_epochs=1, batch_size=16, learning_rate=1e-2),
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    training.train_networks(SMALL, folder, folder)
    return folder


def test_training_writes_both_networks_and_does_not_train_again(weights, monkeypatch):
    plain, learned = training.load_networks(SMALL, (), weights)
    test = load(None, "test")
    assert training.judge(SMALL, plain, test) > 0.9
    assert all(module.learned for module in learned if isinstance(module, nn.Linear))
    monkeypatch.setattr(training, "train", None)
    training.train_networks(SMALL, weights, weights)


def test_missing_weights_are_said(tmp_path):
    with pytest.raises(ArtefactError, match=r"no weights of small .* add --train"):
        training.load_networks(SMALL, (), tmp_path)


def test_scores_of_chips_are_kept_and_not_run_again(weights, tmp_path, monkeypatch):
    networks = training.load_networks(SMALL, (), weights)
    deployment = Deployment(SMALL, networks, weights, 100, tmp_path)
    digital = deployment.digital()
    chips = deployment.chips(0, tmp_path / "report.html")
    assert digital["float"] > 0.9
    assert digital["integers"] > 0.85
    assert min(chips["programmed"], chips["tuned"]) > 0.5
    assert chips["evaluations"] > 0
    assert "small" in (tmp_path / "small.json").read_text()
    assert (tmp_path / "report.html").stat().st_size > 10_000
    monkeypatch.setattr("recipes.six_models.evaluation.xl.program", None)
    again = Deployment(SMALL, networks, weights, 100, tmp_path)
    assert again.chips(0) == chips
    row = command.summarise({"digital": digital, "chips": [chips, chips], "images": 100})
    assert row["tuned"] == {"mean": chips["tuned"], "std": 0.0, "chips": [chips["tuned"]] * 2}
    assert json.loads(json.dumps(row)) == row


def test_a_network_that_does_not_fit_gets_more_chips():
    torch.manual_seed(0)
    large = nn.Sequential(nn.Linear(1152, 640), nn.ReLU(), nn.Linear(640, 10))
    assert compile_on_chips(large, torch.randn(64, 1152)).system.num_chips == 16


def test_a_split_takes_every_sample_once():
    samples = Samples(torch.arange(50.0), torch.arange(50))
    train, test = split(samples, 0.2, 0)
    assert (len(train), len(test)) == (40, 10)
    assert sorted([*train.targets.tolist(), *test.targets.tolist()]) == list(range(50))
    assert split(samples, 0.2, 0)[1].targets.equal(test.targets)


def test_missing_data_are_said_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sys.argv", ["six_models", "--data", str(tmp_path), "--output", str(tmp_path / "out")]
    )
    with pytest.raises(SystemExit, match="error: MLP on MNIST"):
        command.main()
    assert not (tmp_path / "out").exists()


def test_missing_weights_are_said_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, "mlp", SMALL)
    options = ["--models", "mlp", "--weights", str(tmp_path / "none"), "--output", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["six_models", "--data", str(tmp_path), *options])
    monkeypatch.setattr(command, "run_all", lambda options: pytest.fail("something ran"))
    with pytest.raises(SystemExit, match="error: no weights of small"):
        command.main()


@pytest.mark.parametrize("option", ["--chips", "--images", "--workers"])
@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_fewer_than_one_of_anything_is_refused(option, value, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["six_models", "--data", ".", option, value])
    with pytest.raises(SystemExit):
        command.parse()
    assert f"{option}: need a whole number from 1 up, got {value}" in capsys.readouterr().err


def wait_for_ever(name: str, options: running.Options) -> dict:
    """A network that takes longer than any test."""
    (options.output / name).touch()
    time.sleep(600)
    return {}


def interrupt_when(path: Path) -> None:
    """Ctrl-C for this process alone, once the file is there."""
    while not path.exists():
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_ends_what_runs_and_what_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "run_one", wait_for_ever)
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    options = running.Options(("cnn", "mlp"), (), tmp_path, tmp_path, None, 1, 0, 1)
    threading.Thread(target=interrupt_when, args=(tmp_path / "cnn",), daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            running.run_all(options)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert not (tmp_path / "mlp").exists()


def test_targets_of_another_number_are_refused():
    with pytest.raises(DataError, match="as many targets as inputs, got 2 and 3"):
        Samples(torch.zeros(3), torch.zeros(2))


def test_the_table_has_a_row_for_each_network():
    part = {"mean": 0.9, "std": 0.01, "chips": [0.9]}
    row = {
        "images": 10,
        "float": 0.95,
        "integers": 0.94,
        "ideal": 0.93,
        "num_chips": 8,
        "programmed": part,
        "tuned": part,
    }
    lines = command.show(dict.fromkeys(TASKS, row)).splitlines()
    assert len(lines) == 7
    assert len({len(line) for line in lines}) == 1
    assert "90.0 ± 1.0" in lines[1]
