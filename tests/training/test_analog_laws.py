"""Training, integers and chips are one numerical truth."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import crossloom as xl
from crossloom.quant import interpret_integers
from crossloom.training import (
    AnalogConfig,
    ConverterOffsets,
    WeightNoise,
    analog_layers,
    convert_to_analog,
    convert_to_digital,
)

BITS = {"chip.core.macro.readout.bits": 6}


class Plain(nn.Module):
    """Convolutions of all kinds and a linear layer, without norms: nothing but what integers do exactly."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 8, 3, padding=1)
        self.two = nn.Conv2d(8, 12, 3, stride=2, groups=4, bias=False)
        self.three = nn.Conv2d(12, 12, 1)
        self.last = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.one(x))
        x = torch.relu(self.two(x)) + 0.25
        return self.last(torch.relu(self.three(x)).mean((2, 3)))


class Normed(nn.Module):
    """With batch norms, one of them with negative factors."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.last = nn.Linear(8, 5)
        with torch.no_grad():
            self.bn1.weight.copy_(torch.tensor([1.0, -0.5, 0.7, 1.2, -1.0, 0.3, 0.9, 1.1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)) + x)
        return self.last(x.mean((2, 3)))


def made(kind: type[nn.Module], seed: int = 0) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(seed)
    return kind().eval(), torch.randn(12, 3, 9, 9)


def placed(
    analog: nn.Module, system: xl.SystemSpec, inputs: torch.Tensor, mapping: xl.MappingConfig | None = None
):
    return xl.compile(convert_to_digital(analog).eval(), system, data=[inputs], mapping=mapping)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(
    ("weight_bits", "is_binary"), [(4, False), (3, False), (2, False), (2, True), (8, False)]
)
def test_with_effects_off_the_network_is_the_integer_interpreter(weight_bits, is_binary, per_channel):
    model, inputs = made(Plain)
    system = xl.load_system("ideal")
    config = AnalogConfig(
        weight_bits=weight_bits, is_binary=is_binary, activation_bits=5, per_channel=per_channel
    )
    analog = convert_to_analog(model, system, config, inputs)
    quantized = placed(analog, system, inputs).mapped.quantized
    with torch.no_grad():
        assert torch.equal(analog(inputs), interpret_integers(quantized, (inputs,))[0])


@pytest.mark.parametrize("mode", ["bit_serial", "pulse"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_with_effects_off_the_network_is_the_chip(mode, per_channel):
    """tsinghua_c200 with ideal cells: three or seven cycles, a 4-bit converter, integration times in whole numbers."""
    model, inputs = made(Plain)
    system = xl.load_system("tsinghua_c200").noiseless()
    mapping = xl.MappingConfig(input_mode=mode)
    config = AnalogConfig(largest_weight=6, mapping=mapping, per_channel=per_channel)
    analog = convert_to_analog(model, system, config, inputs)
    chips = xl.program(placed(analog, system, inputs, mapping), xl.simulate(system))
    with torch.no_grad():
        assert torch.equal(xl.run(chips, inputs).outputs, analog(inputs))


@pytest.mark.parametrize(
    "mapping",
    [
        xl.MappingConfig(encoding="offset_column"),
        xl.MappingConfig(slicing="sign_magnitude", bits_per_cell=1),
        xl.MappingConfig(encoding="offset_column", slicing="twos_complement", bits_per_cell=2),
        xl.MappingConfig(row_copies=2, input_mode="bit_serial"),
    ],
    ids=["offset", "magnitude", "complement", "copies"],
)
def test_every_mapping_trains_as_it_runs(mapping):
    model, inputs = made(Plain)
    system = xl.load_system("ideal", BITS)
    config = AnalogConfig(weight_bits=4, activation_bits=4, activations_are_signed=True, mapping=mapping)
    analog = convert_to_analog(model, system, config, inputs)
    chips = xl.program(placed(analog, system, inputs, mapping), xl.simulate(system))
    with torch.no_grad():
        # Planes are added up in another order of roundings than on the chips.
        assert torch.allclose(xl.run(chips, inputs).outputs, analog(inputs), rtol=1e-5, atol=1e-6)


def test_a_layer_too_large_for_a_crossbar_trains_in_the_tiles_that_it_runs_in():
    torch.manual_seed(0)
    model, inputs = nn.Sequential(nn.Linear(100, 40), nn.ReLU(), nn.Linear(40, 6)), torch.randn(30, 100)
    system = xl.load_system(
        "ideal",
        {**BITS, "chip.core.macro.crossbar.num_rows": 64, "chip.core.macro.crossbar.num_columns": 32},
    )
    analog = convert_to_analog(model, system, AnalogConfig(weight_bits=4, activation_bits=4), inputs)
    assert len(analog_layers(analog)["0"].matrix.plan.spans) > 1
    chips = xl.program(placed(analog, system, inputs), xl.simulate(system))
    with torch.no_grad():
        assert torch.equal(xl.run(chips, inputs).outputs, analog(inputs))


def test_norms_fold_into_steps_and_never_into_integers():
    """Folding moves roundings of floats, which may flip a code here and there: 1 in 100 of the outputs at most."""
    model, inputs = made(Normed)
    system = xl.load_system("tsinghua_c200").noiseless()
    analog = convert_to_analog(model, system, AnalogConfig(), inputs).eval()
    chips = xl.program(placed(analog, system, inputs), xl.simulate(system))
    layers = chips.placement.mapped.quantized.layers
    for name, layer in analog_layers(analog).items():
        with torch.no_grad():
            assert torch.equal(layers[name].weight.float(), layer.matrix.integers(layer.weight))
    with torch.no_grad():
        close = torch.isclose(xl.run(chips, inputs).outputs, analog(inputs), atol=1e-5)
    assert close.double().mean() > 0.99


@pytest.mark.parametrize("kind", [Plain, Normed])
def test_there_and_back_is_the_network_within_quantisation(kind):
    """8-bit weights, inputs and converters: the error's power is below 1 % of the signal's."""
    model, inputs = made(kind)
    system = xl.load_system("ideal", {"chip.core.macro.readout.bits": 10})
    analog = convert_to_analog(model, system, AnalogConfig(weight_bits=8, activation_bits=8), inputs)
    with torch.no_grad():
        exact = model(inputs)
        for other in (analog, convert_to_digital(analog)):
            assert (other(inputs) - exact).square().mean() < 0.01 * exact.var()


def losses(seed: int) -> list[float]:
    model, inputs = made(Normed)
    labels = torch.arange(12) % 5
    config = AnalogConfig(effects=(WeightNoise(sigma=0.06), ConverterOffsets()))
    analog = convert_to_analog(model, xl.load_system("tsinghua_c200"), config, inputs).train()
    optimiser = torch.optim.SGD(analog.parameters(), 0.05)
    torch.manual_seed(seed)
    found = []
    for _ in range(4):
        optimiser.zero_grad()
        loss = functional.cross_entropy(analog(inputs), labels)
        loss.backward()
        optimiser.step()
        found.append(loss.item())
    return found


def test_the_same_seed_gives_the_same_loss_to_the_last_bit():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert losses(3) == losses(3)
        assert losses(3) != losses(4)
    finally:
        torch.set_num_threads(threads)


def test_steps_learn_and_bring_the_error_down():
    """Least squares against the float network: 60 steps of Adam, seed 0, end below the error that they began with."""
    model, inputs = made(Normed)
    analog = convert_to_analog(model, xl.load_system("tsinghua_c200"), AnalogConfig(), inputs).eval()
    for name, parameter in analog.named_parameters():
        parameter.requires_grad_(name.endswith("_step"))
    before = {name: value.clone() for name, value in analog.state_dict().items()}
    optimiser = torch.optim.Adam([p for p in analog.parameters() if p.requires_grad], 1e-3)
    with torch.no_grad():
        exact = model(inputs)
    errors = []
    for _ in range(60):
        optimiser.zero_grad()
        error = (analog(inputs) - exact).square().mean()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert min(errors[-10:]) < errors[0]
    moved = [name for name, value in analog.state_dict().items() if not torch.equal(value, before[name])]
    assert {name.rsplit(".", 1)[1] for name in moved} == {"input_step", "weight_step", "output_step"}


def test_the_original_is_left_as_it_was():
    model, inputs = made(Normed)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    convert_to_analog(model, xl.load_system("tsinghua_c200"), AnalogConfig(), inputs)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert type(model.conv1) is nn.Conv2d
