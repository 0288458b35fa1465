"""What would spoil a training without a word is refused before it begins."""

import pytest
import torch
from torch import nn

from crossloom.errors import ArtefactError, ConfigError, DataError
from crossloom.mapping import MappingConfig
from crossloom.spec import load_system
from crossloom.training import AnalogConfig, TrainingConfig, analog_matrices, convert_to_analog, train
from flows import normal

SYSTEM = load_system("tsinghua_c200")


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))


@pytest.mark.parametrize("spoiled", [float("nan"), float("inf")])
def test_a_first_batch_that_is_not_finite_sets_no_steps(spoiled):
    analog, values = convert_to_analog(model(), SYSTEM), normal(16, 8)
    values[3, 2] = spoiled
    with pytest.raises(DataError, match="0: inputs hold NaN or infinity"):
        analog(values)
    assert not any(matrix.is_ready for matrix in analog_matrices(analog).values())
    assert analog(normal(16, 8)).isfinite().all()


def test_weights_that_are_not_finite_set_no_steps():
    spoiled = model()
    spoiled[2].weight.data[0, 0] = float("nan")
    with pytest.raises(DataError, match="2: weights hold NaN or infinity"):
        convert_to_analog(spoiled, SYSTEM, data=normal(16, 8))


def test_an_empty_batch_sets_no_steps_and_passes_once_they_are_set():
    with pytest.raises(DataError, match="an empty batch cannot set its steps"):
        convert_to_analog(model(), SYSTEM, data=torch.zeros(0, 8))
    analog = convert_to_analog(model(), SYSTEM, data=normal(16, 8))
    assert analog(torch.zeros(0, 8)).shape == (0, 3)


@pytest.mark.parametrize("choice", [{"integration_time": 3.0}, {"full_scale": "maximum"}], ids=str)
def test_a_range_that_training_would_not_keep_to_is_refused(choice):
    with pytest.raises(ConfigError, match="0: training learns the range of every converter"):
        convert_to_analog(model(), SYSTEM, AnalogConfig(mapping=MappingConfig(**choice)))


def test_a_layer_without_weights_is_refused():
    with pytest.raises(ConfigError, match="has no weights"):
        convert_to_analog(nn.Sequential(nn.Linear(8, 0)), SYSTEM)


def test_frozen_layers_stand_for_the_same_weights_after_training():
    frozen, values = model(), normal(16, 8)
    frozen[0].weight.requires_grad_(False)
    analog = convert_to_analog(frozen, SYSTEM, data=values)
    before = analog[0].matrix.stood_for(analog[0].weight)
    optimiser = torch.optim.SGD([part for part in analog.parameters() if part.requires_grad], 0.1)
    analog(values).square().sum().backward()
    optimiser.step()
    assert torch.equal(analog[0].matrix.stood_for(analog[0].weight), before)
    assert analog[2].matrix.weight_step.grad is not None


@pytest.mark.parametrize(
    ("system", "config"),
    [
        (load_system("tsinghua_c200", {"chip.core.macro.readout.bits": 6}), {}),
        (load_system("tsinghua_c200", {"chip.core.macro.crossbar.num_rows": 8}), {}),
        (SYSTEM, {"largest_weight": 6}),
        (SYSTEM, {"is_quick": True}),
        (SYSTEM, {"weight_bits": 2, "is_binary": True}),
    ],
    ids=["converter", "tiles", "largest weight", "quick", "binary"],
)
def test_a_checkpoint_of_other_hardware_or_mapping_is_refused(system, config, tmp_path):
    data = (normal(16, 8), torch.arange(16) % 3)
    train(convert_to_analog(model(), SYSTEM, data=data[0]), data, TrainingConfig(epochs=1), folder=tmp_path)
    other = convert_to_analog(model(), system, AnalogConfig(**config), data=data[0])
    with pytest.raises(ArtefactError, match="of another model"):
        train(other, data, TrainingConfig(epochs=2), folder=tmp_path)


def test_a_list_of_batches_begins_with_its_first():
    plain, batch = model(), normal(16, 8)
    begun = convert_to_analog(plain, SYSTEM, data=[batch, 100 * batch])
    alone = convert_to_analog(plain, SYSTEM, data=batch)
    assert torch.equal(begun(batch), alone(batch))


@pytest.mark.parametrize(
    ("data", "got"), [([], "list"), ((), "none at all"), ({"x": 1}, "dict"), ([[1.0]], "list")]
)
def test_what_is_no_batch_is_refused(data, got):
    with pytest.raises(DataError, match=f"need a tensor, .* got {got}"):
        convert_to_analog(model(), SYSTEM, data=data)
