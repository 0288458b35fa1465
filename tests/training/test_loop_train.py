"""The training loop does what a loop written out by hand does, and leaves no trace but a trained model."""

import copy
from dataclasses import FrozenInstanceError

import pytest
import torch
from loop_nets import Noise, are_equal, images, linear_net, small_net, state_of, vectors
from torch import nn
from torch.nn import functional

from crossloom.seeds import derive_generator
from crossloom.training import (
    Adam,
    Constant,
    Deviations,
    Distillation,
    NoiseSchedule,
    Percentile,
    RandomCropFlip,
    Sgd,
    Steps,
    TrainingConfig,
    TrainingResult,
    evaluate_accuracy,
    train,
)

PLAIN = Sgd(learning_rate=0.1, momentum=0.0, weight_decay=0.0)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_loop_equals_one_written_out_by_hand():
    inputs, labels = vectors(40)
    model, twin = linear_net(), linear_net()
    optimiser = torch.optim.SGD(
        [
            {"params": [twin[0].weight, twin[2].weight], "weight_decay": 0.01},
            {"params": [twin[0].bias, twin[2].bias], "weight_decay": 0.0},
        ],
        lr=0.2,
        momentum=0.9,
        nesterov=True,
    )
    config = TrainingConfig(
        epochs=4,
        batch_size=16,
        optimiser=Sgd(learning_rate=0.2, nesterov=True, weight_decay=0.01),
        schedule=Steps(at=(2,)),
        label_smoothing=0.1,
        seed=5,
    )
    losses = []
    for epoch in range(4):
        order = torch.randperm(40, generator=derive_generator(5, "order", epoch))
        optimiser.param_groups[0]["lr"] = optimiser.param_groups[1]["lr"] = 0.2 if epoch < 2 else 0.2 * 0.1
        sums = 0.0
        for part in order.split(16):
            loss = functional.cross_entropy(twin(inputs[part]), labels[part], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            sums += loss.item() * len(part)
        losses.append(sums / 40)
    result = train(model, (inputs, labels), config)
    assert are_equal(model, twin)
    assert [record.loss for record in result.history] == losses
    assert result.num_steps == 4 * 3
    assert [record.learning_rate for record in result.history] == pytest.approx([0.2, 0.2, 0.02, 0.02])


def test_training_learns_and_says_how_it_went():
    model = small_net()
    test = images(200, seed=9)
    before = evaluate_accuracy(model, test.inputs, test.labels)
    config = TrainingConfig(epochs=6, batch_size=32, optimiser=Adam(learning_rate=0.01), schedule=Constant())
    result = train(model, images(300), config, validation=test)
    after = evaluate_accuracy(model, test.inputs, test.labels)
    assert before < 0.6
    assert after > 0.9  # 0.97 with this seed
    assert result.history[-1].validation_accuracy == after
    assert result.best.validation_accuracy == max(record.validation_accuracy for record in result.history)
    assert [record.epoch for record in result.history] == [1, 2, 3, 4, 5, 6]
    assert result.history[-1].loss < result.history[0].loss
    assert f"validation accuracy {100 * after:.2f} %" in result.summary()
    assert f"best, epoch {result.best.epoch}" in result.summary()


def test_a_result_cannot_be_changed_and_survives_saving(tmp_path):
    result = train(linear_net(), vectors(), TrainingConfig(epochs=2))
    with pytest.raises(FrozenInstanceError):
        result.num_steps = 0
    result.save(tmp_path / "result")
    assert TrainingResult.load(tmp_path / "result") == result


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    models = [small_net() for _ in range(3)]
    results = []
    for model, seed, before in zip(models, (7, 7, 8), (1, 2, 3), strict=True):
        torch.manual_seed(before)
        results.append(train(model, images(), TrainingConfig(epochs=2, batch_size=16, seed=seed)))
    assert are_equal(models[0], models[1])
    assert not are_equal(models[0], models[2])
    assert [record.loss for record in results[0].history] == [record.loss for record in results[1].history]


def test_the_callers_random_state_modes_and_noise_are_as_they_were():
    model = small_net().eval()
    model[1].train()
    noise = model[3]
    noise.noise_share = 0.5
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    train(model, images(), TrainingConfig(epochs=1, noise=NoiseSchedule(start=1)), validation=images(10))
    assert torch.equal(torch.rand(3), expected)
    assert [module.training for module in model.modules()] == [False, False, True] + [False] * 5
    assert noise.shares[0] == 0.0
    assert noise.noise_share == 0.5


def test_noise_follows_its_schedule():
    model = small_net()
    config = TrainingConfig(epochs=4, batch_size=25, noise=NoiseSchedule(start=1, ramp=2))
    result = train(model, images(50), config)
    taken = list(model[3].shares[:-1])
    expected = [0, 0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert sorted(set(taken)) == sorted(set(expected))
    assert taken == sorted(taken)
    assert [record.noise_share for record in result.history] == [0.0, 0.25, 0.75, 1.0]


def test_modules_without_a_schedule_keep_their_noise():
    model = small_net()
    result = train(model, images(), TrainingConfig(epochs=1))
    assert model[3].shares == [1.0]  # given back at the end
    assert result.history[0].noise_share is None


def one_step(model, data, **choices):
    """What one step on all samples changes in the parameters."""
    before = state_of(model)
    config = TrainingConfig(
        **{"epochs": 1, "batch_size": 10**6, "optimiser": PLAIN, "schedule": Constant()} | choices
    )
    train(model, data, config)
    return {name: tensor - before[name] for name, tensor in model.state_dict().items()}


def test_several_draws_average_the_gradients_of_different_noise():
    """The spread of the step over 40 seeds falls with four draws to about a half: 1/√4, within 0.35 to 0.7."""
    data = vectors(8)

    def spread(num_draws):
        steps = []
        for seed in range(40):
            model = nn.Sequential(Noise(1.0), linear_net())
            steps.append(one_step(model, data, num_draws=num_draws, seed=seed)["1.0.weight"])
        return torch.stack(steps).std(0).mean()

    ratio = (spread(4) / spread(1)).item()
    assert 0.35 < ratio < 0.7


def test_draws_without_noise_and_micro_batches_change_nothing_but_rounding():
    data = vectors(24)
    plain = one_step(linear_net(), data)
    drawn = one_step(linear_net(), data, num_draws=3)
    parted = one_step(linear_net(), data, micro_batch=7)
    for name, change in plain.items():
        assert change.abs().max() > 1e-3
        torch.testing.assert_close(drawn[name], change, atol=1e-7, rtol=1e-4)
        torch.testing.assert_close(parted[name], change, atol=1e-7, rtol=1e-4)


def test_the_gradient_is_clipped_to_its_norm():
    change = one_step(linear_net(), vectors(), clip_gradient=1e-3)
    norm = torch.cat([part.flatten() for part in change.values()]).norm().item()
    assert norm == pytest.approx(0.1 * 1e-3, rel=1e-3)  # learning rate times bound


class Steered(nn.Module):
    """A layer with learned steps: of one number, and of the weight's dimensions."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 6))
        self.bias = nn.Parameter(torch.ones(3))
        self.input_step = nn.Parameter(torch.ones(()))
        self.weight_step = nn.Parameter(torch.full((3, 1), 5.0))
        self.norm = nn.LayerNorm((3, 1))

    def forward(self, values):
        zero = sum(parameter.sum() for parameter in self.parameters()) * 0
        return values[:, :3] + zero


@pytest.mark.parametrize("optimiser", [Sgd(weight_decay=0.5), Adam(weight_decay=0.5)])
def test_only_weights_decay(optimiser):
    model = Steered()
    change = one_step(model, vectors(), optimiser=optimiser)
    assert (change.pop("weight") < 0).all()
    for name, difference in change.items():
        assert not difference.any(), name


@pytest.mark.parametrize("clipping", [Percentile(percentile=80), Deviations(num_deviations=1.0)])
def test_weights_are_clipped_after_every_step_and_nothing_else_is(clipping):
    model = Steered()
    with torch.no_grad():
        model.weight.copy_(torch.linspace(-1, 1, 18).view(3, 6))
        model.weight_step.copy_(torch.tensor([[1.0], [2.0], [50.0]]))
    change = one_step(model, vectors(), clip_weights=clipping)
    values = torch.linspace(-1, 1, 18)
    bounds = {
        "percentile": values.abs().sort().values[14],
        "deviations": values.std(correction=0),
    }  # 80 % are 14.4
    assert model.weight.abs().max().item() == pytest.approx(bounds[clipping.kind].item())
    assert not change["weight_step"].any()
    assert not change["bias"].any()


def test_percentile_clipping_twice_is_clipping_once():
    weight = torch.randn(30, 30, generator=torch.Generator().manual_seed(0))
    bound = Percentile().bound(weight)
    clipped = weight.clamp(-bound, bound)
    assert (weight.abs() > bound).sum() == 45  # five percent of 900
    assert Percentile().bound(clipped) == bound


def test_a_student_that_equals_its_teacher_has_nothing_to_learn_from_it():
    teacher = linear_net().train()
    same = one_step_with(teacher, linear_net(), Distillation(weight=1.0))
    other = one_step_with(teacher, linear_net(seed=1), Distillation(weight=1.0))
    assert max(change.abs().max().item() for change in same.values()) < 1e-7
    assert max(change.abs().max().item() for change in other.values()) > 1e-3
    assert teacher.training
    assert are_equal(teacher, linear_net())


def one_step_with(teacher, student, distillation):
    before = state_of(student)
    config = TrainingConfig(epochs=1, optimiser=PLAIN, schedule=Constant(), distillation=distillation)
    train(student, vectors(), config, teacher=teacher)
    return {name: tensor - before[name] for name, tensor in student.state_dict().items()}


def test_distillation_is_the_formula_of_hinton():
    outputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    teaching = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    given, wanted = ((logits / 2).softmax(1) for logits in (outputs, teaching))
    expected = 4 * (wanted * (wanted / given).log()).sum(1).mean()
    got = Distillation(temperature=2).divergence(outputs, teaching)
    torch.testing.assert_close(got, expected)


def test_images_lie_in_memory_as_asked():
    seen = []
    config = TrainingConfig(epochs=1, batch_size=16, memory_format="channels_last", optimiser=PLAIN)
    models = small_net(), small_net()
    models[1][0].register_forward_hook(
        lambda _, inputs, output: seen.append(inputs[0].is_contiguous(memory_format=torch.channels_last))
    )
    for model in models:  # noise is drawn in the order of memory, so that it differs between the two
        model[3].strength, model[5].p = 0.0, 0.0
    train(models[0], images(), config.replace(memory_format="contiguous"))
    train(models[1], images(), config, augment=RandomCropFlip(padding=0, flips=False))
    assert seen == [True] * 4
    for name, tensor in models[0].state_dict().items():
        torch.testing.assert_close(models[1].state_dict()[name], tensor, atol=1e-5, rtol=1e-4)


def test_data_parallel_trains_the_same_model():
    bare, within = small_net(), small_net()
    config = TrainingConfig(epochs=2, batch_size=16)
    train(bare, images(), config)
    train(nn.DataParallel(within), images(), config)
    assert are_equal(bare, within)


def test_gradient_hooks_have_their_say():
    model = linear_net()
    model[0].weight.register_hook(torch.zeros_like)
    change = one_step(model, vectors())
    assert not change["0.weight"].any()
    assert change["2.weight"].any()


def test_frozen_parameters_stay():
    model = linear_net()
    model[0].requires_grad_(False)
    change = one_step(model, vectors(), optimiser=Sgd(weight_decay=0.1))
    assert not change["0.weight"].any()
    assert change["2.weight"].any()


def test_a_loss_of_ones_own_needs_no_classes():
    inputs, _ = vectors(60)
    wanted = inputs[:, :3] * 0.5
    config = TrainingConfig(epochs=60, batch_size=20, optimiser=Adam(learning_rate=0.01))
    result = train(
        linear_net(), (inputs, wanted), config, loss=functional.mse_loss, validation=(inputs[:9], wanted[:9])
    )
    assert result.history[-1].loss < 0.1 * result.history[0].loss
    assert result.history[-1].accuracy is None
    assert result.history[-1].validation_accuracy is None
    assert result.best.validation_loss == min(record.validation_loss for record in result.history)


def test_the_log_hears_of_epochs_and_of_every_nth_step():
    heard = []
    config = TrainingConfig(epochs=2, batch_size=10, log_every=2, schedule=Constant(), seed=1)
    result = train(linear_net(), vectors(40), config, log=heard.append)
    assert [(figures["kind"], figures["step"]) for figures in heard] == [
        ("step", 2),
        ("step", 4),
        ("epoch", 4),
        ("step", 6),
        ("step", 8),
        ("epoch", 8),
    ]
    assert heard[2]["loss"] == result.history[0].loss
    assert heard[2]["accuracy"] == result.history[0].accuracy
    assert heard[0]["learning_rate"] == 0.1
    assert heard[0]["gradient_norm"] > 0
    assert heard[0]["accuracy"] * 10 in range(11)  # of a batch of ten


def test_augmentation_draws_from_a_generator_of_its_step():
    drawn, seen = [], []
    model = linear_net()
    model.register_forward_hook(lambda _, given, output: seen.append(given[0]))

    def halve(inputs, generator):
        drawn.append(torch.rand(2, generator=generator))
        return inputs / 2

    train(model, vectors(40), TrainingConfig(epochs=2, batch_size=20, seed=3), augment=halve)
    expected = [
        torch.rand(2, generator=derive_generator(3, "augment", epoch, number))
        for epoch in (0, 1)
        for number in (0, 1)
    ]
    assert torch.equal(torch.stack(drawn), torch.stack(expected))
    assert torch.cat(seen[:2]).abs().max() == vectors(40)[0].abs().max() / 2


def test_the_last_samples_are_left_out_only_when_asked():
    sizes = []

    def count(drop_last):
        sizes.clear()
        model = copy.deepcopy(linear_net())
        model.register_forward_hook(lambda _, inputs, output: sizes.append(len(inputs[0])))
        train(model, vectors(40), TrainingConfig(epochs=1, batch_size=16, drop_last=drop_last))
        return list(sizes)

    assert count(False) == [16, 16, 8]
    assert count(True) == [16, 16]


def test_every_sample_comes_once_an_epoch_in_an_order_of_the_epochs_own():
    orders = []
    inputs = torch.arange(20.0).view(20, 1).repeat(1, 6)
    model = linear_net()
    model.register_forward_hook(lambda _, given, output: orders.extend(given[0][:, 0].tolist()))
    train(model, (inputs, torch.zeros(20).long()), TrainingConfig(epochs=2, batch_size=8))
    assert sorted(orders[:20]) == sorted(orders[20:]) == list(range(20))
    assert orders[:20] != orders[20:]
