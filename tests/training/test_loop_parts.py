"""The parts of the training loop: augmentation, schedules, evaluation, norms, logs."""

import io
import sys
from types import ModuleType

import pytest
import torch
from loop_nets import Noise, images, linear_net, small_net, state_of, vectors
from torch import nn
from torch.nn import functional

from crossloom.errors import ConfigError, DataError, MissingDependencyError
from crossloom.training import (
    Constant,
    Cosine,
    RandomCropFlip,
    Steps,
    TensorBoardLog,
    TrainingConfig,
    evaluate_accuracy,
    reestimate_norms,
    train,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def slow_crop_flip(inputs, seed, padding):
    """One sample after the other; the same draws in the same order."""
    drawn = generator(seed)
    number, _, height, width = inputs.shape
    rows = torch.randint(0, 2 * padding + 1, (number, 1), generator=drawn)
    columns = torch.randint(0, 2 * padding + 1, (number, 1), generator=drawn)
    is_flipped = torch.rand(number, 1, generator=drawn) < 0.5
    parts = []
    for sample, row, column, flip in zip(inputs, rows, columns, is_flipped, strict=True):
        padded = functional.pad(sample, [padding] * 4)
        part = padded[:, row : row + height, column : column + width]
        parts.append(part.flip(2) if flip else part)
    return torch.stack(parts)


@pytest.mark.parametrize(("shape", "padding"), [((40, 3, 8, 8), 4), ((30, 1, 5, 9), 2), ((6, 2, 4, 4), 0)])
def test_crops_and_flips_equal_those_of_one_sample_after_the_other(shape, padding):
    inputs = torch.randn(shape, generator=generator(1))
    fast = RandomCropFlip(padding=padding)(inputs, generator(5))
    assert torch.equal(fast, slow_crop_flip(inputs, 5, padding))
    assert not torch.equal(fast, inputs)


def test_every_offset_comes_equally_often_and_every_other_image_is_flipped():
    """20,000 images with one bright pixel in the middle; 81 places, each 1/81 within 5 standard deviations."""
    inputs = torch.zeros(20_000, 1, 9, 9)
    inputs[:, 0, 4, 4] = 1
    places = RandomCropFlip()(inputs, generator()).flatten(1).sum(0)
    share, deviation = 20_000 / 81, (20_000 / 81 * 80 / 81) ** 0.5
    assert (places - share).abs().max() < 5 * deviation
    lopsided = torch.zeros(20_000, 1, 1, 2)
    lopsided[..., 0] = 1
    flipped = RandomCropFlip(padding=0)(lopsided, generator())[..., 1].sum().item()
    assert abs(flipped - 10_000) < 5 * 5000**0.5
    assert torch.equal(RandomCropFlip(padding=0, flips=False)(lopsided, generator()), lopsided)


def test_a_warm_up_rises_and_a_cosine_falls_to_its_end():
    schedule = Cosine(warm_up=2, final=0.1)
    factors = [schedule.factor(epoch / 4, 10) for epoch in range(41)]
    assert factors[:9] == pytest.approx([epoch / 8 for epoch in range(9)])
    assert factors[8:] == sorted(factors[8:], reverse=True)
    assert factors[8 + 16] == pytest.approx(0.55)
    assert factors[-1] == pytest.approx(0.1)
    assert Steps(at=(3,), warm_up=1).factor(0.5, 10) == 0.5
    assert Constant().factor(9.9, 10) == 1.0


def test_schedules_and_optimisers_may_be_given_by_name():
    config = TrainingConfig(epochs=2, optimiser="adam", schedule="constant", clip_weights="percentile")
    assert config == TrainingConfig.parse(config.model_dump(mode="json"))
    assert (config.optimiser.kind, config.schedule.kind, config.clip_weights.kind) == (
        "adam",
        "constant",
        "percentile",
    )


def test_accuracy_is_the_share_of_right_answers_and_modes_are_kept():
    model = small_net().train()
    model[5].eval()
    data = images(33)
    before = state_of(model)
    accuracy = evaluate_accuracy(model, data.inputs, data.labels, batch_size=10)
    assert [module.training for module in model] == [True] * 5 + [False, True]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    model.eval()
    right = sum(
        int(model(image[None]).argmax() == label) for image, label in zip(*vars_of(data), strict=True)
    )
    assert accuracy == right / 33


def vars_of(data):
    return data.inputs, data.labels


def test_modes_are_kept_when_the_model_breaks_down():
    model = linear_net().train()
    with pytest.raises(RuntimeError):
        evaluate_accuracy(model, torch.zeros(4, 5), torch.zeros(4).long())
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("inputs", "labels"),
    [(torch.zeros(0, 6), torch.zeros(0).long()), (torch.zeros(4, 6), torch.zeros(3).long())],
)
def test_nothing_to_evaluate_is_refused(inputs, labels):
    with pytest.raises(DataError, match="evaluation: need"):
        evaluate_accuracy(linear_net(), inputs, labels)


def norm_net(strength):
    torch.manual_seed(0)
    return nn.Sequential(
        Noise(strength), nn.BatchNorm2d(2), nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, momentum=0.3)
    )


def test_norms_get_the_statistics_of_the_data():
    model = norm_net(0.0).eval()
    batches = images(60).inputs.split(20)
    reestimate_norms(model, batches)
    first = model[1]
    torch.testing.assert_close(first.running_mean, torch.stack([b.mean((0, 2, 3)) for b in batches]).mean(0))
    expected = torch.stack([b.transpose(0, 1).flatten(1).var(1) for b in batches]).mean(0)
    torch.testing.assert_close(first.running_var, expected)
    assert not any(module.training for module in model.modules())
    assert (first.momentum, model[3].momentum) == (0.1, 0.3)
    assert not torch.equal(model[3].running_mean, torch.zeros(3))


def test_norms_get_the_statistics_of_noisy_activations_when_noise_is_on():
    """Noise of variance 4 adds to that of the data; 60 · 36 values a channel, within 10 %."""
    silent, noisy = norm_net(2.0).eval(), norm_net(2.0).eval()
    noisy[0].train()
    torch.manual_seed(0)
    for model in (silent, noisy):
        reestimate_norms(model, images(60).inputs.split(20))
    added = noisy[1].running_var - silent[1].running_var
    assert noisy[0].training
    assert (added - 4).abs().max() < 0.4


def test_norms_are_as_they_were_when_there_is_nothing_to_estimate_from():
    model = norm_net(0.0)
    model(images(8).inputs)
    before = state_of(model)
    with pytest.raises(DataError, match="at least one batch"):
        reestimate_norms(model, [])
    with pytest.raises(RuntimeError):
        reestimate_norms(model, [images(8).inputs, torch.zeros(2, 5, 6, 6)])
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert (model[1].momentum, model[3].momentum) == (0.1, 0.3)
    with pytest.raises(ConfigError, match="batch norm with running statistics, got none in Sequential"):
        reestimate_norms(linear_net(), [torch.zeros(4, 6)])


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_epoch_step_loss_and_accuracy_and_nobody_else_sees_anything(monkeypatch, capsys):
    train(linear_net(), vectors(), TrainingConfig(epochs=2))
    assert capsys.readouterr() == ("", "")
    terminal = Terminal()
    monkeypatch.setattr("crossloom.progress._PATIENCE", 0.0)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    slow = linear_net()
    slow.register_forward_hook(lambda *_: __import__("time").sleep(0.03))
    train(slow, vectors(), TrainingConfig(epochs=2, batch_size=4))
    shown = terminal.getvalue()
    assert "epoch 1/2, step" in shown
    assert "loss" in shown
    assert "%" in shown


def test_tensorboard_gets_every_figure_under_its_step(monkeypatch):
    written, module = [], ModuleType("torch.utils.tensorboard")

    class SummaryWriter:
        def __init__(self, folder):
            written.append(folder)

        def add_scalar(self, name, figure, step):
            written.append((name, figure, step))

        def flush(self):
            written.append("flushed")

        def close(self):
            written.append("closed")

    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    log = TensorBoardLog("logs")
    result = train(linear_net(), vectors(), TrainingConfig(epochs=1, batch_size=20, log_every=1), log=log)
    log.close()
    assert written[0] == "logs"
    assert ("epoch/loss", result.history[0].loss, 2) in written
    assert ("epoch/accuracy", result.history[0].accuracy, 2) in written
    assert [item[2] for item in written if item[0] == "step/gradient_norm"] == [1, 2]
    assert "epoch/noise_share" not in [item[0] for item in written]
    assert written[-2:] == ["flushed", "closed"]


def test_tensorboard_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'crossloom\[tensorboard\]'"):
        TensorBoardLog("logs")
