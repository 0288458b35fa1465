"""A training that is interrupted ends as if it had not been, and goes on from nothing that is not its own."""

import os
import signal

import pytest
import torch
from loop_nets import Noise, are_equal, images, linear_net, small_net, state_of, vectors
from safetensors import safe_open
from torch import nn

from crossloom.artefacts import Artefact
from crossloom.errors import ArtefactError
from crossloom.training import (
    Adam,
    Checkpoint,
    NoiseSchedule,
    Percentile,
    RandomCropFlip,
    Sgd,
    TrainingConfig,
    train,
)
from crossloom.training.loop.checkpoint import put_optimiser

CONFIG = TrainingConfig(
    epochs=3,
    batch_size=16,
    optimiser=Sgd(learning_rate=0.05, nesterov=True),
    noise=NoiseSchedule(start=1, ramp=1),
    num_draws=2,
    clip_gradient=1.0,
    clip_weights=Percentile(),
)
DATA, TEST = images(50), images(20, seed=4)
STEPS_PER_EPOCH = 4


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Stop(Exception):
    """What an interruption that asks nobody looks like."""


def stop_at(model, call, error):
    """Raise in the forward pass of that number, counted from 1 and with validation."""
    calls = []

    def count(*_):
        calls.append(None)
        if len(calls) == call:
            raise error

    model.register_forward_pre_hook(count)
    return model


def go(model, folder=None, config=CONFIG, **more):
    return train(
        model, DATA, config, validation=TEST, augment=RandomCropFlip(padding=1), folder=folder, **more
    )


def figures(result):
    """All that history says, but the seconds."""
    return [{**vars(record), "seconds": None} for record in result.history]


CONFIGS = {
    "sgd": CONFIG,
    "adam": CONFIG.replace(optimiser=Adam()),
    "channels_last": CONFIG.replace(memory_format="channels_last"),
    "adam, channels_last": CONFIG.replace(optimiser=Adam(weight_decay=0.1), memory_format="channels_last"),
}


class Pressing(Noise):
    """Presses Ctrl-C in the forward pass of one number."""

    def __init__(self, presses):
        super().__init__()
        self.presses, self.calls = presses, 0

    def forward(self, values):
        self.calls += 1
        for _ in range(self.presses.get(self.calls, 0)):
            os.kill(os.getpid(), signal.SIGINT)
        return super().forward(values)


def pressing_net(presses):
    model = small_net()
    model[3] = Pressing(presses)
    return model


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("press", [1, 4, 9, 13])  # first and second step, validation, second epoch
def test_an_interrupted_training_equals_one_in_one_go_to_the_last_bit(tmp_path, config, press):
    whole, again = small_net(), small_net(seed=5)  # another start: all must come from the file
    expected = go(whole, config=config)
    with pytest.raises(KeyboardInterrupt):
        go(pressing_net({press: 1}), tmp_path, config)
    result = go(again, tmp_path, config)
    assert result.resumed_at == {1: 1, 4: 2, 9: 4, 13: 6}[press]
    assert are_equal(whole, again)
    assert figures(result) == figures(expected)
    assert result.num_steps == expected.num_steps


@pytest.mark.parametrize("stop", [12, 17, 22])
def test_a_training_that_broke_down_goes_on_from_the_end_of_its_last_epoch(tmp_path, stop):
    whole = small_net()
    expected = go(whole)
    with pytest.raises(Stop):
        go(stop_at(small_net(), stop, Stop()), tmp_path)
    again = small_net(seed=5)
    assert figures(go(again, tmp_path)) == figures(expected)
    assert are_equal(whole, again)


def test_an_epoch_that_was_not_judged_is_judged_with_the_noise_of_its_last_step(tmp_path):
    """The 19th forward pass is the first of the second validation; then the ramp from 1 to 2 stands at 1.75."""
    with pytest.raises(KeyboardInterrupt):
        go(pressing_net({19: 1}), tmp_path)
    again = small_net()
    assert go(again, tmp_path).resumed_at == 2 * STEPS_PER_EPOCH
    assert again[3].shares[0] == 0.75


def test_averages_of_gradients_lie_in_memory_as_their_parameters_do():
    weight = nn.Parameter(torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last))
    optimiser = torch.optim.AdamW([weight])
    saved = torch.randn(4, 3, 2, 2)
    put_optimiser(optimiser, {0: {"step": torch.tensor(1.0), "exp_avg": saved, "exp_avg_sq": saved.square()}})
    average = optimiser.state[weight]["exp_avg"]
    assert torch.equal(average, saved)
    assert average.stride() == weight.stride() != saved.stride()
    assert optimiser.state[weight]["step"] == 1


def test_a_checkpoint_within_an_epoch_is_as_good(tmp_path):
    whole, again = small_net(), small_net(seed=5)
    often = CONFIG.replace(checkpoint_every=1e-9)
    expected = go(whole)
    with pytest.raises(Stop):
        go(stop_at(small_net(), 15, Stop()), tmp_path, often)
    assert Checkpoint.load(tmp_path / "last.safetensors").step == 6
    result = go(again, tmp_path, CONFIG)
    assert result.resumed_at == 6
    assert figures(result) == figures(expected)
    assert are_equal(whole, again)


def test_ctrl_c_in_a_step_lets_it_end_and_writes_a_checkpoint(tmp_path):
    handler, stopped = signal.getsignal(signal.SIGINT), pressing_net({3: 1})
    with pytest.raises(KeyboardInterrupt):
        go(stopped, tmp_path)
    assert stopped[3].calls == 4  # the second of two draws of the second step
    assert Checkpoint.load(tmp_path / "last.safetensors").step == 2
    assert signal.getsignal(signal.SIGINT) is handler
    assert "resumed at step 2" in go(small_net(), tmp_path).summary()


def test_a_second_ctrl_c_does_not_wait_and_spoils_no_checkpoint(tmp_path):
    stopped = pressing_net({12: 2})
    with pytest.raises(KeyboardInterrupt):
        go(stopped, tmp_path)
    assert stopped[3].calls == 12  # the first of two draws of the second epoch's second step
    kept = Checkpoint.load(tmp_path / "last.safetensors")
    assert kept.step == STEPS_PER_EPOCH
    assert all(torch.equal(kept.model[name], tensor) for name, tensor in stopped.state_dict().items())


def test_an_interruption_from_the_log_loses_nothing(tmp_path):
    def stop(figures):
        raise KeyboardInterrupt

    whole, again = small_net(), small_net()
    expected = go(whole)
    with pytest.raises(KeyboardInterrupt):
        go(small_net(), tmp_path, log=stop)
    assert figures(go(again, tmp_path)) == figures(expected)
    assert are_equal(whole, again)


def test_going_on_is_said(tmp_path, monkeypatch, capsys):
    heard = []
    go(small_net(), tmp_path, CONFIG.replace(epochs=1))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    result = go(small_net(), tmp_path, CONFIG.replace(epochs=2), log=heard.append)
    assert heard[0] == {"kind": "resume", "step": 4, "epoch": 2}
    assert result.resumed_at == 4
    assert "going on from step 4 of 8" in capsys.readouterr().err


def test_a_finished_training_is_not_done_again(tmp_path):
    first, second = small_net(), small_net(seed=3)
    result = go(first, tmp_path)
    stop_at(second, 1, AssertionError("no forward pass is needed"))
    assert go(second, tmp_path).history == result.history
    assert are_equal(first, second)


def test_more_epochs_go_on_and_fewer_are_refused(tmp_path):
    go(small_net(), tmp_path, CONFIG.replace(epochs=2))
    result = go(small_net(), tmp_path, CONFIG.replace(epochs=3))
    assert result.resumed_at == 2 * STEPS_PER_EPOCH
    assert len(result.history) == 3
    with pytest.raises(
        ArtefactError, match=r"another config: wanted epochs 1, got 3; .*only epochs may grow"
    ):
        go(small_net(), tmp_path, CONFIG.replace(epochs=1))


def wider():
    model = small_net()
    model[6] = nn.Linear(144, 4)
    return model


def stronger():
    model = small_net()
    model[3] = Noise(0.5)
    return model


REFUSED = {
    "model": (
        lambda folder: go(wider(), folder),
        r"another model: wanted 6.weight float32 \[4, 144\], got .*\[3, 144\]",
    ),
    "class": (
        lambda folder: go(nn.ModuleList([small_net()]), folder),
        "wanted a ModuleList, got a Sequential",
    ),
    "type": (lambda folder: go(small_net().double(), folder), "wanted 0.weight float64"),
    "what has no tensor": (
        lambda folder: go(stronger(), folder),
        r"wanted \(3\): Noise\(strength=0.5\), got .*0.3",
    ),
    "config": (
        lambda folder: go(small_net(), folder, CONFIG.replace(seed=1)),
        "another config: wanted seed 1, got 0",
    ),
    "data": (
        lambda folder: train(
            small_net(), images(49), CONFIG, augment=RandomCropFlip(padding=1), folder=folder
        ),
        r"another training: wanted data 49 samples \(\w+\), got 50",
    ),
    "augmentation": (
        lambda folder: train(small_net(), DATA, CONFIG, folder=folder),
        "wanted augment None, got Random",
    ),
    "loss": (
        lambda folder: go(small_net(), folder, loss=nn.MultiMarginLoss()),
        "wanted loss MultiMargin.* got None",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_checkpoint_of_something_else_is_refused_in_one_line_and_left_alone(tmp_path, name):
    go(small_net(), tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    attempt, message = REFUSED[name]
    with pytest.raises(ArtefactError, match=message) as refusal:
        attempt(tmp_path)
    assert "\n" not in str(refusal.value)
    assert "another folder" in str(refusal.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_a_refused_model_is_not_touched(tmp_path):
    go(small_net(), tmp_path)
    model, twin = wider(), wider()
    with pytest.raises(ArtefactError):
        go(model, tmp_path)
    assert are_equal(model[:6], twin[:6])


def test_other_parameters_to_train_are_another_training(tmp_path):
    go(small_net(), tmp_path)
    model = small_net()
    model[0].requires_grad_(False)
    with pytest.raises(ArtefactError, match=r"parameters to train 4 .* got 6"):
        go(model, tmp_path)


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path):
    go(small_net(), tmp_path)
    path = tmp_path / "last.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"last\.safetensors: was altered"):
        go(small_net(), tmp_path)


def test_the_best_epoch_is_kept_besides_the_last(tmp_path):
    """Losses of validation are made up: the second of four epochs has the least."""
    model, made_up, kept = linear_net(), iter([0.8, 0.1, 0.1, 0.9]), {}

    def loss(outputs, labels):
        if torch.is_grad_enabled():
            return nn.functional.cross_entropy(outputs, labels)
        return torch.tensor(next(made_up))

    def keep(figures):
        kept[figures["epoch"]] = state_of(model)

    inputs, labels = vectors()
    train(
        model,
        (inputs, labels),
        TrainingConfig(epochs=4),
        loss=loss,
        validation=(inputs, labels.float()),
        folder=tmp_path,
        log=keep,
    )
    best, last = (Checkpoint.load(tmp_path / f"{name}.safetensors") for name in ("best", "last"))
    assert (best.step, last.step) == (2, 4)
    assert all(torch.equal(best.model[name], tensor) for name, tensor in kept[2].items())
    again = linear_net(seed=4)
    best.restore(again)
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in kept[2].items())
    with pytest.raises(ArtefactError, match="another model"):
        best.restore(small_net())


def test_the_further_of_two_checkpoints_is_gone_on_from(tmp_path, monkeypatch):
    """The best epoch is written first; what comes between the two files is an interruption as any other."""
    config = CONFIG.replace(optimiser=Adam(learning_rate=0.003), noise=None)
    whole, again = small_net(), small_net(seed=5)
    expected = go(whole, config=config)
    assert expected.best.epoch > 1
    save = Artefact.save

    def break_off(self, path):
        save(self, path)
        if path.name == "best.safetensors" and self.step > STEPS_PER_EPOCH:
            raise Stop

    monkeypatch.setattr(Checkpoint, "save", break_off)
    with pytest.raises(Stop):
        go(small_net(), tmp_path, config)
    monkeypatch.setattr(Checkpoint, "save", save)
    best, last = (Checkpoint.load(tmp_path / f"{name}.safetensors").step for name in ("best", "last"))
    assert best > last
    result = go(again, tmp_path, config)
    assert result.resumed_at == best
    assert figures(result) == figures(expected)
    assert are_equal(whole, again)


def test_a_checkpoint_of_data_parallel_is_one_of_the_model_within(tmp_path):
    go(nn.DataParallel(small_net()), tmp_path, CONFIG.replace(epochs=1))
    assert go(small_net(), tmp_path, CONFIG.replace(epochs=2)).resumed_at == STEPS_PER_EPOCH


def test_checkpoints_hold_plain_tensors_only(tmp_path):
    go(small_net(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "last.safetensors"]
    with safe_open(tmp_path / "last.safetensors", framework="pt") as file:
        assert len(file.keys()) == 9 + 6  # six parameters, three buffers; six averages of gradients
