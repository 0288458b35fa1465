"""Effects in converted layers: every one acts in training mode, in layers of every shape, and none when evaluating."""

import pytest
import torch
from effects_layer import EFFECTS, SYSTEM
from torch import nn

from crossloom.errors import ConfigError
from crossloom.mapping import MappingConfig
from crossloom.spec import load_system
from crossloom.training import (
    AnalogConfig,
    DropConnect,
    Effect,
    ProgrammingErrors,
    ReadNoise,
    WeightNoise,
    convert_to_analog,
)
from flows import MACRO, noisy_system, normal


def network() -> nn.Module:
    torch.manual_seed(0)
    grouped = nn.Conv2d(8, 8, 3, groups=2)
    return nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), grouped, nn.ReLU(), nn.Flatten(), nn.Linear(32, 10))


def converted(
    model: nn.Module, values: torch.Tensor, *effects: Effect, system=SYSTEM, **mapping
) -> nn.Module:
    config = AnalogConfig(effects=effects, weight_bits=4, activation_bits=4, mapping=MappingConfig(**mapping))
    return convert_to_analog(model, system, config, values)


@pytest.mark.parametrize("kind", EFFECTS)
def test_every_effect_acts_while_training_and_not_while_evaluating(kind):
    values = normal(8, 4, 6, 6)
    plain, noisy = converted(network(), values), converted(network(), values, EFFECTS[kind])
    torch.testing.assert_close(noisy.eval()(values), plain.eval()(values), rtol=0, atol=0)
    answer = noisy.train()(values)
    assert (answer - plain(values)).abs().max() > 1e-3
    answer.square().sum().backward()
    for name, parameter in noisy.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_all_effects_together_act_and_pass_gradients():
    values = normal(8, 4, 6, 6)
    noisy = converted(network(), values, *EFFECTS.values()).train()
    noisy(values).square().sum().backward()
    assert all(parameter.grad is not None for parameter in noisy.parameters())


@pytest.mark.parametrize("effect", [ProgrammingErrors(), ReadNoise()], ids=lambda effect: effect.kind)
def test_row_copies_average_what_cells_do(effect):
    """4,096 answers of each of 10 passes, seed 0: standard deviations 1 : 1 / sqrt(2) within 8 %."""
    system = noisy_system(
        {f"{MACRO}.pairing": "rows", f"{MACRO}.crossbar.num_rows": 256},
        {"bits": 12},
        programming_error=3e-6,
        read_noise=3e-6,
    )
    values, model, spreads = normal(128, 32), nn.Linear(32, 32), []
    for copies in (1, 2):
        exact = converted(model, values, system=system, row_copies=copies)(values)
        noisy = converted(model, values, effect, system=system, row_copies=copies).train()
        torch.manual_seed(0)
        with torch.no_grad():
            spreads.append(torch.stack([noisy(values) - exact for _ in range(10)]).std().item())
    assert spreads[1] / spreads[0] == pytest.approx(0.5**0.5, rel=0.08)


@pytest.mark.parametrize("effect", [ProgrammingErrors(), ReadNoise()], ids=lambda effect: effect.kind)
def test_copies_average_what_cells_do(effect):
    """4,096 answers of each of 10 passes, seed 0: standard deviations 1 : 1 / 2 within 8 %."""
    system = noisy_system({f"{MACRO}.pairing": "rows"}, {"bits": 12}, programming_error=3e-6, read_noise=3e-6)
    values, model, spreads = normal(128, 32), nn.Linear(32, 32), []
    for copies in (1, 4):
        exact = converted(model, values, system=system, copies=copies)(values)
        noisy = converted(model, values, effect, system=system, copies=copies).train()
        torch.manual_seed(0)
        with torch.no_grad():
            spreads.append(torch.stack([noisy(values) - exact for _ in range(10)]).std().item())
    assert spreads[1] / spreads[0] == pytest.approx(0.5, rel=0.08)


@pytest.mark.parametrize(
    "effect", [WeightNoise(sigma=0.05), DropConnect(probability=0.1)], ids=lambda effect: effect.kind
)
@pytest.mark.parametrize(
    "mapping",
    [
        {"slicing": "sign_magnitude", "bits_per_cell": 1},
        {"encoding": "offset_column"},
        {"encoding": "offset_column", "slicing": "twos_complement", "bits_per_cell": 1},
        {"copies": 2},
    ],
    ids=str,
)
def test_errors_of_weights_do_not_depend_on_how_weights_lie_in_cells(effect, mapping):
    """4,096 answers of each of 20 passes on ideal converters, seed 0: standard deviations within 5 %."""
    values, model, spreads = normal(128, 32), nn.Linear(32, 32), []
    for chosen in ({}, mapping):
        exact = converted(model, values, system=load_system("ideal"), **chosen)(values)
        noisy = converted(model, values, effect, system=load_system("ideal"), **chosen).train()
        torch.manual_seed(0)
        with torch.no_grad():
            spreads.append(torch.stack([noisy(values) - exact for _ in range(20)]).std().item())
    assert spreads[1] == pytest.approx(spreads[0], rel=0.05)


def test_an_effect_that_finds_nothing_is_refused_when_layers_are_made():
    with pytest.raises(ConfigError, match="read_noise: these cells are read without any"):
        converted(network(), normal(8, 4, 6, 6), ReadNoise(), system=load_system("ideal"))


def test_a_configuration_with_every_effect_comes_back_from_json():
    config = AnalogConfig(effects=tuple(EFFECTS.values()))
    assert AnalogConfig.model_validate_json(config.model_dump_json()) == config
