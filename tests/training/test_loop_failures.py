"""What cannot be trained is refused before any work; what stops being finite stops the training, and is named."""

import pytest
import torch
from loop_nets import are_equal, images, linear_net, small_net, vectors
from torch import nn

from crossloom.errors import ArtefactError, ConfigError, DataError, TrainingError
from crossloom.training import (
    Checkpoint,
    Constant,
    Distillation,
    RandomCropFlip,
    Sgd,
    TrainingConfig,
    train,
)

INPUTS, LABELS = vectors(40)
CONFIG = TrainingConfig(epochs=3, batch_size=10)
TAUGHT = CONFIG.replace(distillation=Distillation())
NO_CLASSES = torch.rand(40)


def frozen():
    return linear_net().requires_grad_(False)


def spoilt():
    model = linear_net()
    with torch.no_grad():
        model[2].bias[1] = torch.nan
    return model


BAD = {
    "nothing": (DataError, "at least one sample", {"data": (INPUTS[:0], LABELS[:0])}),
    "numbers of labels": (
        DataError,
        r"one label for each of 40 samples, got int64 \[39\]",
        {"data": (INPUTS, LABELS[:39])},
    ),
    "no labels": (DataError, "one label for each of 40 samples, got none", {"data": (INPUTS, None)}),
    "no classes": (DataError, "int64 class numbers from 0 on, got float32", {"data": (INPUTS, NO_CLASSES)}),
    "below zero": (DataError, "lowest -1", {"data": (INPUTS, LABELS - 1)}),
    "not finite": (DataError, "NaN or infinite", {"data": (INPUTS / 0, LABELS)}),
    "validation": (
        DataError,
        r"float32 \[6\] a sample, .* got float32 \[5\]",
        {"validation": (INPUTS[:, :5], LABELS)},
    ),
    "validation labels": (DataError, "validation: need one label", {"validation": (INPUTS, LABELS[:1])}),
    "small": (DataError, "batch of 100 samples", {"config": CONFIG.replace(batch_size=100, drop_last=True)}),
    "frozen": (ConfigError, "nothing to train", {"model": frozen()}),
    "no parameters": (ConfigError, "nothing to train", {"model": nn.ReLU()}),
    "no module": (ConfigError, "need an nn.Module", {"model": len}),
    "lazy": (ConfigError, "run it on one batch first", {"model": nn.LazyLinear(3)}),
    "spoilt": (ConfigError, "NaN or infinity in 2.bias", {"model": spoilt()}),
    "teacher alone": (ConfigError, "together", {"teacher": linear_net()}),
    "no teacher": (ConfigError, "together", {"config": TAUGHT}),
    "smoothing": (
        ConfigError,
        "usual loss only",
        {"config": CONFIG.replace(label_smoothing=0.1), "loss": nn.NLLLoss()},
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_line_before_any_work(name, tmp_path):
    error, message, change = BAD[name]
    given = {"model": linear_net(), "data": (INPUTS, LABELS), "config": CONFIG} | change
    with pytest.raises(error, match=message) as refusal:
        train(**given, folder=tmp_path / "folder")
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "folder").exists()


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(ArtefactError, match=f"need a folder for checkpoints, got the file {path}"):
        train(linear_net(), vectors(), CONFIG, folder=path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "epochs: .*greater than or equal to 1, got 0"),
        ({"batch_size": 0}, "batch_size: .*greater than or equal to 1, got 0"),
        (
            {"epochs": 2, "schedule": {"kind": "cosine", "warm_up": 2}},
            "warm-up shorter than 2 epochs, got 2.0",
        ),
        ({"optimiser": {"kind": "sgd", "momentum": 0, "nesterov": True}}, "nesterov needs a momentum"),
        ({"clip_weights": {"kind": "percentile", "percentile": 40}}, "greater than 50"),
        ({"optimizer": "adam"}, "optimiser"),
    ],
)
def test_choices_that_cannot_be_are_refused_in_one_line(fields, message):
    with pytest.raises(ConfigError, match=message) as refusal:
        TrainingConfig(**{"epochs": 3} | fields)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("held_out", [False, True])
def test_more_labels_than_outputs_are_refused_and_nothing_has_changed(held_out):
    inputs, labels = images(20).inputs, torch.arange(20) % 3
    wrong = torch.where(labels == 2, 7, labels)
    model, before = small_net(), small_net()
    pair = (labels, wrong) if held_out else (wrong, labels)
    with pytest.raises(DataError, match=r"go up to 7, but the model answers \[20, 3\]"):
        train(model, (inputs, pair[0]), CONFIG.replace(batch_size=20), validation=(inputs, pair[1]))
    assert are_equal(model, before)


def test_a_loss_of_many_numbers_is_refused():
    with pytest.raises(ConfigError, match=r"one number, got \[10\]; take its mean"):
        train(linear_net(), vectors(), CONFIG, loss=nn.CrossEntropyLoss(reduction="none"))


def test_a_teacher_of_other_classes_is_refused():
    with pytest.raises(ConfigError, match=r"answers \[10, 3\] as the model does, got \[10, 5\]"):
        train(linear_net(), vectors(), TAUGHT, teacher=nn.Linear(6, 5))


def test_crops_of_what_is_no_image_are_refused():
    with pytest.raises(DataError, match="RandomCropFlip needs images"):
        train(linear_net(), vectors(), CONFIG, augment=RandomCropFlip())


class Fragile(nn.Module):
    """Gives `value` in its call of number `call` while training, and whenever that call's input comes again."""

    def __init__(self, call, value=torch.nan):
        super().__init__()
        self.call, self.value, self.calls, self.poison = call, value, 0, None

    def forward(self, values):
        if self.training:
            self.calls += 1
            if self.calls == self.call:
                self.poison = values.detach().clone()
        hit = (
            self.poison is not None and values.shape == self.poison.shape and torch.equal(values, self.poison)
        )
        return values + self.value if hit else values


def fragile_net(call, value=torch.nan):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8),
        nn.BatchNorm1d(8),
        nn.Dropout(0.3),
        nn.Sequential(Fragile(call, value), nn.Linear(8, 3)),
    )


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_loss_that_turns_nan_stops_the_training_and_names_step_and_layer(tmp_path, value):
    """Four steps an epoch; the sixth is in the second. Dropout must fall the same way for the layer to be found."""
    model, twin = fragile_net(6, value), fragile_net(99)
    with pytest.raises(TrainingError) as refusal:
        train(model, (INPUTS, LABELS), CONFIG, folder=tmp_path)
    message = str(refusal.value)
    assert "at step 6, first in the output of 3.0;" in message
    assert f"the model is as it was after step 4 (checkpoint in {tmp_path})" in message
    assert "\n" not in message
    train(twin, (INPUTS, LABELS), CONFIG.replace(epochs=1, schedule=Constant()), folder=tmp_path / "twin")
    kept = Checkpoint.load(tmp_path / "last.safetensors")
    assert kept.step == 4
    assert all(torch.equal(kept.model[name], tensor) for name, tensor in model.state_dict().items())
    assert model[1].num_batches_tracked.item() != twin[1].num_batches_tracked.item() + 1
    assert not any(module._forward_hooks for module in model.modules())


def test_without_a_folder_the_model_goes_back_to_the_end_of_its_last_epoch():
    model, states = fragile_net(10), []
    with pytest.raises(TrainingError, match=r"at step 10, .* as it was after step 8;"):
        train(
            model,
            (INPUTS, LABELS),
            CONFIG,
            log=lambda _: states.append(
                {name: tensor.clone() for name, tensor in model.state_dict().items()}
            ),
        )
    assert all(torch.equal(states[1][name], tensor) for name, tensor in model.state_dict().items())


def test_in_the_first_epoch_the_model_is_as_it_came():
    model, before = fragile_net(2), fragile_net(2)
    with pytest.raises(TrainingError, match=r"at step 2, .* before the first step;"):
        train(model, (INPUTS, LABELS), CONFIG)
    assert are_equal(model, before)


def test_a_gradient_that_is_not_finite_is_named_before_it_is_applied():
    """The root of zero has an infinite slope: outputs and loss are finite, the gradient is not."""

    class Root(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 3)
            nn.init.zeros_(self.inner.weight)
            nn.init.zeros_(self.inner.bias)

        def forward(self, values):
            return self.inner(values).relu().sqrt() + self.inner(values).abs().sqrt()

    model = Root()
    with pytest.raises(
        TrainingError, match=r"the gradient is NaN or infinite at step 1, first in the gradient of inner"
    ):
        train(model, (INPUTS, LABELS), CONFIG)
    assert not model.inner.weight.any()


def test_a_loss_that_is_itself_to_blame_is_named():
    with pytest.raises(
        TrainingError, match=r"the loss is nan at step 1, first in the loss, of finite outputs"
    ):
        train(linear_net(), (INPUTS, LABELS), CONFIG, loss=lambda outputs, _: (outputs.sum() * 0).log() * 0)


def test_an_augmentation_that_is_to_blame_is_named():
    with pytest.raises(TrainingError, match="first in the inputs of the batch"):
        train(linear_net(), (INPUTS, LABELS), CONFIG, augment=lambda inputs, _: inputs * torch.nan)


def test_a_rate_that_is_far_too_high_is_caught_where_it_shows():
    """Two steps blow weights up to beyond float32; the third finds the first layer's products infinite."""
    model, before = linear_net(), linear_net()
    config = CONFIG.replace(optimiser=Sgd(learning_rate=1e38, momentum=0.0), schedule=Constant())
    with pytest.raises(TrainingError, match=r"at step 3, first in the output of 0; .* before the first step"):
        train(model, (INPUTS, LABELS), config)
    assert are_equal(model, before)


def test_parameters_that_overflow_at_the_end_of_an_epoch_reach_no_checkpoint(tmp_path):
    """Gradients times the rate are beyond float32; there is no other step that could meet them."""
    config = TrainingConfig(epochs=1, optimiser=Sgd(learning_rate=1e38, momentum=0), schedule=Constant())
    model, before = linear_net(), linear_net()
    with pytest.raises(TrainingError, match=r"the parameter 0.weight is NaN or infinite after step 1"):
        train(
            model,
            (INPUTS, LABELS),
            config,
            loss=lambda outputs, labels: 1e4 * nn.functional.cross_entropy(outputs, labels),
            folder=tmp_path,
        )
    assert not list(tmp_path.iterdir())
    assert are_equal(model, before)


def test_a_stopped_training_goes_on_with_what_is_kept(tmp_path):
    with pytest.raises(TrainingError):
        train(fragile_net(6), (INPUTS, LABELS), CONFIG, folder=tmp_path)
    result = train(fragile_net(99), (INPUTS, LABELS), CONFIG, folder=tmp_path)
    assert result.resumed_at == 4
    assert len(result.history) == 3
