"""A plain network that was trained with quantisation keeps its integers, steps and converter ranges."""

import copy
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from crossloom.calibration import CalibrationConfig, calibrate, choose_integration_times
from crossloom.errors import ConfigError, DataError
from crossloom.graph import trace
from crossloom.mapping import LayerMappingConfig, MappingConfig, map_graph
from crossloom.pipeline import compile, learned_layers, learned_times, simulate
from crossloom.placement import Placement
from crossloom.programming import program
from crossloom.quant import LearnedLayer, QuantConfig, code_range, interpret_integers
from crossloom.runtime import run
from crossloom.spec import load_system
from flows import normal

SYSTEM = load_system("tsinghua_c200")
IDEAL = load_system("ideal")
VECTORS, IMAGES = normal(24, 20), normal(6, 2, 8, 8)
GAMMA = torch.tensor([0.8, -1.3, 0.0, 0.5, -0.02])


def teach(layer: nn.Linear | nn.Conv2d, seed: int, bits: int = 4, **learned) -> nn.Module:
    """Give a layer random integers times a step, and the record of it; the integers are kept for comparison."""
    low, high = code_range(bits, True)
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(low, high + 1, layer.weight.shape, generator=generator)
    fields = {"weight_step": torch.tensor(0.04), "input_step": 0.35, "input_bits": 4, "input_is_signed": True}
    layer.learned = LearnedLayer(weight_bits=bits, **{**fields, **learned})
    steps = layer.learned.weight_step
    shaped = steps.view(-1, *[1] * (codes.dim() - 1)) if steps.dim() else steps
    layer.weight.data = (codes * shaped).float()
    layer.codes = codes.to(torch.int16)
    return layer


def perceptron(**learned) -> nn.Sequential:
    """Linear, rectifier, linear; what is given is learned by the first layer."""
    torch.manual_seed(0)
    first = teach(nn.Linear(20, 12), 1, **{"output_step": 0.05, **learned})
    second = teach(nn.Linear(12, 5), 2, weight_step=torch.linspace(0.02, 0.09, 5), output_step=0.03)
    return nn.Sequential(first, nn.ReLU(), second).eval()


def convolutional(**learned) -> nn.Sequential:
    """Convolution, norm, rectifier, convolution, norm; gammas of either sign, and one of zero."""
    torch.manual_seed(0)
    first = teach(nn.Conv2d(2, 5, 3, padding=1, bias=False), 1, **{"output_step": 0.06, **learned})
    second = teach(nn.Conv2d(5, 5, 3, stride=2), 2, weight_step=torch.linspace(0.02, 0.09, 5), **learned)
    return nn.Sequential(first, norm(GAMMA), nn.ReLU(), second, norm(-GAMMA)).eval()


def norm(gamma: torch.Tensor) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(len(gamma))
    layer.weight.data = gamma.clone()
    layer.bias.data = normal(len(gamma), seed=7)
    layer.running_mean = normal(len(gamma), seed=8)
    layer.running_var = normal(len(gamma), seed=9).square() + 0.3
    return layer


NETS = {"perceptron": (perceptron, VECTORS), "convolutional": (convolutional, IMAGES)}
both = pytest.mark.parametrize("name", NETS)


@cache
def usual(name: str) -> Placement:
    """The net of this name, compiled for the first chip."""
    make, inputs = NETS[name]
    return compile(make(), SYSTEM, inputs)


def by_hand(model: nn.Sequential, inputs: torch.Tensor) -> torch.Tensor:
    """The network with the inputs of its layers quantised, layer by layer in plain torch."""
    for layer in model:
        learned = getattr(layer, "learned", None)
        if learned is not None:
            codes = (inputs / learned.input_step).round()
            inputs = (
                codes.clamp(*code_range(learned.input_bits, learned.input_is_signed)) * learned.input_step
            )
        inputs = layer(inputs)
    return inputs.detach()


@both
def test_integers_are_exactly_the_learned_ones(name):
    model, layers = NETS[name][0](), usual(name).mapped.quantized.layers
    assert len(layers) == 2
    for path, layer in layers.items():
        assert torch.equal(layer.weight, model.get_submodule(path).codes)


def test_a_norm_is_folded_into_steps_that_take_its_sign():
    model, layers = convolutional(), usual("convolutional").mapped.quantized.layers
    for number in (0, 3):
        after, found = model[number + 1], layers[str(number)]
        factor = after.weight.double() / (after.running_var + after.eps).double().sqrt()
        expected = (model[number].learned.weight_step * factor).detach()
        torch.testing.assert_close(found.weight_step, expected, rtol=1e-6, atol=0)
        assert {-1.0, 0.0, 1.0} == set(found.weight_step.sign().tolist())


@both
def test_the_integer_interpreter_is_the_network_with_quantised_inputs(name):
    (make, inputs), quantized = NETS[name], usual(name).mapped.quantized
    torch.testing.assert_close(
        interpret_integers(quantized, (inputs,))[0], by_hand(make(), inputs), rtol=1e-5, atol=1e-5
    )


@both
def test_with_fine_inputs_it_is_the_float_network(name):
    make, inputs = NETS[name]
    model = make(input_step=2e-4, input_bits=16)
    fine = {"input_step": 1e-3, "input_bits": 16}
    last = [module for module in model if hasattr(module, "learned")][-1]
    last.learned = replace(last.learned, **fine)
    found = interpret_integers(compile(model, IDEAL, inputs).mapped.quantized, (inputs,))[0]
    torch.testing.assert_close(found, model(inputs).detach(), rtol=0, atol=5e-3)


@both
def test_the_original_stays_as_it_is_and_a_copy_serves_as_well(name):
    make, inputs = NETS[name]
    model = make()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    layers = compile(copy.deepcopy(model), SYSTEM, inputs).mapped.quantized.layers
    for path, layer in usual(name).mapped.quantized.layers.items():
        assert torch.equal(layer.weight, layers[path].weight)
        assert torch.equal(layer.weight_step, layers[path].weight_step)
    compile(model, SYSTEM, inputs)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def times(placement: Placement, layer: str) -> set[float]:
    mapped = placement.mapped
    return {mapped.tiles[number].integration_time for number in mapped.tiles_of[layer]}


@pytest.mark.parametrize("output_step", [2.0, 0.2, 0.1, 0.05, 0.02, 0.01])
def test_the_learned_range_fixes_the_register(output_step):
    model = perceptron(output_step=output_step)
    mapped, codes = usual("perceptron").mapped, model[0].codes
    wanted = min(max(round(63 * 0.35 * 0.04 / output_step), 1), 63)
    assert learned_times(mapped, {"0": (model[0].learned, codes)}) == {"0": wanted}


def test_compiled_tiles_have_the_register_that_was_learned():
    assert times(usual("perceptron"), "0") == {round(63 * 0.35 * 0.04 / 0.05)}
    # Per output: the mean of 0.02 to 0.09 is 0.055.
    assert times(usual("perceptron"), "2") == {round(63 * 0.35 * 0.055 / 0.03)}
    assert times(compile(perceptron(output_step=0.2), SYSTEM, VECTORS), "0") == {4.0}


def test_a_converter_without_an_integrator_takes_the_gain_itself():
    system = load_system("ideal", {"chip.core.macro.readout": {"bits": 8, "is_signed": True}})
    (time,) = times(compile(perceptron(), system, VECTORS), "0")
    assert time == pytest.approx(0.35 * 0.04 / 0.05, rel=1e-6)


def test_ideal_converters_have_no_range_to_learn():
    assert times(compile(perceptron(), IDEAL, VECTORS), "0") == {1.0}


def test_row_copies_share_the_integrator():
    copied = compile(perceptron(), SYSTEM, VECTORS, mapping=MappingConfig(row_copies=3))
    assert times(copied, "0") == {round(63 * 0.35 * 0.04 / 0.05 / 3)}


def test_all_tiles_of_a_layer_have_its_time():
    torch.manual_seed(0)
    model = nn.Sequential(teach(nn.Linear(700, 150), 3, output_step=0.08)).eval()
    placed = compile(model, SYSTEM, normal(4, 700))
    assert len(placed.mapped.tiles) > 2
    assert times(placed, "0") == {round(63 * 0.35 * 0.04 / 0.08)}


def test_a_time_that_was_learned_itself_comes_first():
    placed = compile(perceptron(integration_time=29), SYSTEM, VECTORS)
    assert times(placed, "0") == {29.0}
    too_long = perceptron(integration_time=99.0)[0]
    assert learned_times(placed.mapped, {"0": (too_long.learned, too_long.codes)}) == {"0": 63.0}


def test_a_time_or_a_full_scale_that_is_asked_for_wins():
    named = MappingConfig(layers={"0": LayerMappingConfig(integration_time=5)})
    placed = compile(perceptron(), SYSTEM, VECTORS, mapping=named)
    assert times(placed, "0") == {5.0}
    assert times(placed, "2") == {40.0}
    widest = MappingConfig(full_scale="maximum")
    placed = compile(perceptron(), SYSTEM, VECTORS, mapping=widest)
    expected = map_graph(placed.mapped.quantized, widest, SYSTEM.macro)
    assert placed.mapped.tiles == expected.tiles


def test_calibration_data_choose_where_no_range_was_learned():
    placed = compile(perceptron(output_step=None), SYSTEM, VECTORS)
    alone = map_graph(placed.mapped.quantized, MappingConfig(), SYSTEM.macro)
    chosen = choose_integration_times(alone, [(VECTORS,)])
    assert times(placed, "0") == {tile.integration_time for tile in chosen.tiles if tile.layer == "0"}
    assert times(placed, "2") == {40.0} != {t.integration_time for t in chosen.tiles if t.layer == "2"}


def test_layers_that_learned_nothing_are_quantised_and_ranged_as_ever():
    model = perceptron()
    del model[2].learned
    mixed = compile(model, SYSTEM, VECTORS)
    del model[0].learned
    plain = compile(model, SYSTEM, VECTORS)
    found, usual = (placed.mapped.quantized.layers["2"] for placed in (mixed, plain))
    assert torch.equal(found.weight, usual.weight)
    assert torch.equal(found.weight_step, usual.weight_step)
    assert times(mixed, "0") == {round(63 * 0.35 * 0.04 / 0.05)} != times(plain, "0")
    assert (
        mixed.mapped.quantized.layers["0"].input_step == 0.35 != plain.mapped.quantized.layers["0"].input_step
    )


def chip_by_hand(layer: nn.Linear | nn.Conv2d, inputs: torch.Tensor, n: float) -> torch.Tensor:
    """What a layer without bias gives on the ideal chip of Yu et al.: three ternary cycles, and a code after each."""
    learned, total = layer.learned, torch.zeros(())
    codes = (inputs / learned.input_step).round().clamp(-7, 7)
    for shift in range(3):
        cycle = codes.sign() * (codes.abs().int() >> shift & 1)
        integer = layer.codes.double()
        if isinstance(layer, nn.Linear):
            sums = cycle.double() @ integer.T
        else:
            sums = torch.conv2d(cycle.double(), integer, padding=layer.padding, stride=layer.stride)
        total = total + 2**shift * (n / 63 * sums).round().clamp(-8, 7)
    return total * 63 / n * learned.input_step * learned.weight_step


def test_the_ideal_chip_does_with_a_linear_layer_what_pencil_and_paper_do():
    model = perceptron()
    chips = program(compile(model, SYSTEM.noiseless(), VECTORS), simulate(SYSTEM.noiseless()))
    exact = chip_by_hand(model[0], VECTORS, 18.0) + model[0].bias.detach()
    found = run(chips, VECTORS, stop_at="0").outputs
    # The chip's own constants give 1.00004 / 63 for 1 / 63.
    torch.testing.assert_close(found.double(), exact.relu(), rtol=1e-4, atol=1e-4)
    assert (exact.relu() > 0).float().mean() > 0.3


def test_the_ideal_chip_does_with_a_convolution_and_its_norm_what_pencil_and_paper_do():
    model = convolutional()
    chips = program(compile(model, SYSTEM.noiseless(), IMAGES), simulate(SYSTEM.noiseless()))
    assert times(chips.placement, "0") == {15.0}
    exact = model[1](chip_by_hand(model[0], IMAGES, 15.0).float()).detach()
    found = run(chips, IMAGES, stop_at="0").outputs
    torch.testing.assert_close(found, exact.relu(), rtol=2e-4, atol=2e-4)
    assert exact[:, 1].relu().std() > 0.1  # a channel whose gamma is below zero


def test_on_ideal_hardware_the_chips_give_what_the_integer_interpreter_gives():
    model = convolutional()
    chips = program(compile(model, IDEAL, IMAGES), simulate(IDEAL))
    quantized = chips.placement.mapped.quantized
    assert torch.equal(run(chips, IMAGES).outputs, interpret_integers(quantized, (IMAGES,))[0])


def test_a_placement_with_steps_of_either_sign_saves_and_loads(tmp_path):
    placed = usual("convolutional")
    placed.save(tmp_path / "placed")
    loaded = Placement.load(tmp_path / "placed")
    assert loaded.mapped.tiles == placed.mapped.tiles
    for path, layer in placed.mapped.quantized.layers.items():
        again = loaded.mapped.quantized.layers[path]
        assert torch.equal(again.weight, layer.weight)
        assert torch.equal(again.weight_step, layer.weight_step)
    answers = [run(program(made, simulate(SYSTEM, 3)), IMAGES).outputs for made in (placed, loaded)]
    assert torch.equal(*answers)


@pytest.mark.parametrize("fit", ["columns", "channels"])
def test_calibration_does_good_whatever_the_sign_of_steps(fit):
    images = normal(32, 2, 8, 8, seed=5)
    chips = program(usual("convolutional"), simulate(SYSTEM, 1))
    chosen = {"columns": fit == "columns", "channels": fit == "channels"}
    found = calibrate(chips, images, CalibrationConfig(num_samples=32, num_vectors=256, **chosen))
    assert found.num_applied == len(found.fits) == 2
    exact = convolutional()(IMAGES).detach()
    before, after = (
        (run(made, IMAGES).outputs - exact).square().mean().item()
        for made in (chips, chips.with_calibration(found))
    )
    # One chip, seed 1, 270 outputs: 0.22 before; less than half of it is far from chance.
    assert after < before / 2


class Borrowing(nn.Module):
    """A layer that runs twice, one that borrows its weight, and an attention layer that calls another's weight."""

    def __init__(self):
        super().__init__()
        self.twice = teach(nn.Linear(20, 20, bias=False), 1, output_step=0.05)
        self.borrowing = nn.Linear(20, 20, bias=False)
        self.borrowing.weight = self.twice.weight
        self.attention = nn.MultiheadAttention(20, 2, batch_first=True)
        teach(self.attention.out_proj, 4, output_step=0.07)

    def forward(self, x):
        x = self.borrowing(self.twice(self.twice(x)).relu()).unsqueeze(1)
        return self.attention(x, x, x, need_weights=False)[0]


def test_shared_borrowed_and_inner_weights_are_found():
    torch.manual_seed(0)
    model = Borrowing().eval()
    placed = compile(model, SYSTEM, VECTORS)
    layers = placed.mapped.quantized.layers
    of_twice = [name for name in layers if name.startswith(("twice", "borrowing"))]
    assert len(of_twice) == 3
    for name in of_twice:
        assert torch.equal(layers[name].weight, model.twice.codes)
        assert times(placed, name) == {18.0}
    assert torch.equal(layers["attention.out_proj"].weight, model.attention.out_proj.codes)
    assert set(learned_layers(model, trace(model, VECTORS))) == {*of_twice, "attention.out_proj"}


class Masked(nn.Linear):
    """A layer that computes the weight it multiplies with."""

    mask = torch.arange(12).view(12, 1) % 3 > 0

    def forward(self, x):
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


def test_a_layer_that_computes_its_weight_keeps_the_integers_of_what_it_computes():
    torch.manual_seed(0)
    model = nn.Sequential(teach(Masked(20, 12), 1)).eval()
    (layer,) = compile(model, SYSTEM, VECTORS).mapped.quantized.layers.values()
    assert torch.equal(layer.weight, model[0].codes * model[0].mask)
    assert set(layer.weight_step.tolist()) == {model[0].learned.weight_step.item()}


def test_only_a_module_carries_what_it_learned():
    graph = trace(perceptron(), VECTORS)
    assert learned_layers(graph, graph) == {}
    assert times(compile(graph, SYSTEM, VECTORS), "2") != times(usual("perceptron"), "2")


def test_other_things_called_learned_are_left_alone():
    model = perceptron()
    model[0].learned = True
    assert set(learned_layers(model, trace(model, VECTORS))) == {"2"}


def test_weights_that_were_changed_after_training_are_refused_with_their_layer():
    model = perceptron()
    model[2].weight.data[3, 4] += 0.01
    with pytest.raises(DataError, match=r"^2: weights must be integers times the learned step"):
        compile(model, SYSTEM, VECTORS)


def test_a_choice_against_what_was_learned_is_refused_but_what_the_system_is_made_for_is_not():
    with pytest.raises(
        ConfigError, match=r"0 learned with weight_bits=4, but QuantConfig asks for weight_bits=8"
    ):
        compile(perceptron(), SYSTEM, VECTORS, quant=QuantConfig(weight_bits=8))
    model = perceptron()
    teach(model[0], 5, bits=3, input_bits=3)
    layers = compile(model, SYSTEM, VECTORS).mapped.quantized.layers
    assert [(layer.weight_bits, layer.input_bits) for layer in layers.values()] == [(3, 3), (4, 4)]
    assert torch.equal(layers["0"].weight, model[0].codes)
