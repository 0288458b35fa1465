"""Equalisation keeps the function and evens out the ranges; bias correction takes mean errors off."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from crossloom.errors import ConfigError
from crossloom.graph import Matrix, interpret, simplify, trace
from crossloom.quant import LayerQuantConfig, QuantConfig, equalize, interpret_integers, quantize


def uneven(*layers: nn.Module, seed: int = 0) -> nn.Sequential:
    """Layers whose outputs have ranges that differ by a factor of up to a thousand."""
    model = nn.Sequential(*layers).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in model:
            if hasattr(layer, "weight"):
                scale = 10 ** (3 * torch.rand(len(layer.weight), generator=generator) - 1.5)
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator))
                layer.weight.mul_(scale.view(-1, *[1] * (layer.weight.dim() - 1)))
    return model


DENSE = [nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 5)]
CONVOLUTIONS = [
    nn.Conv2d(2, 8, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(8, 8, 3, padding=1, groups=8),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 12, 1, groups=2),
    nn.ReLU(),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(48, 4),
]
NETWORKS = {"dense": (DENSE, (12,)), "convolutions": (CONVOLUTIONS, (2, 8, 8))}


def case(name: str, seed: int):
    layers, shape = NETWORKS[name]
    model = uneven(*layers, seed=seed)
    inputs = torch.randn(64, *shape, generator=torch.Generator().manual_seed(seed))
    return model, inputs, simplify(trace(model, inputs))


def ranges(graph, name: str) -> torch.Tensor:
    node = next(node for node in graph.nodes if node.name == name)
    assert isinstance(node, Matrix)
    return graph.tensors[node.weight].flatten(1).abs().amax(1)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), st.integers(0, 1000))
def test_the_function_stays(name, seed):
    """Within 1e-4 of the largest output: factors up to 1,000 in float32."""
    _, inputs, graph = case(name, seed)
    before, after = interpret(graph, (inputs,))[0], interpret(equalize(graph), (inputs,))[0]
    torch.testing.assert_close(after, before, rtol=0, atol=1e-4 * before.abs().max().item())


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_outputs_and_the_inputs_that_they_reach_get_the_same_range(name):
    graph = equalize(case(name, 0)[2])
    first, second = graph.matrices[:2]
    inputs = graph.tensors[second.weight]
    reached = inputs.flatten(1).abs().amax(1) if second.groups > 1 else inputs.abs().amax(0)
    torch.testing.assert_close(ranges(graph, first.name), reached, rtol=0.01, atol=0)
    uneven_range = ranges(case(name, 0)[2], first.name)
    assert uneven_range.max() / uneven_range.min() > 50


def test_values_that_go_two_ways_are_left_alone():
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.left, self.right = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6)

        def forward(self, x):
            y = self.first(x).relu()
            return self.left(y) + self.right(y)

    torch.manual_seed(0)
    graph = simplify(trace(Fork().eval(), torch.randn(4, 6)))
    assert equalize(graph) is graph


def test_weights_that_layers_share_are_left_alone():
    shared = nn.Linear(6, 6)
    graph = simplify(trace(nn.Sequential(shared, nn.ReLU(), shared).eval(), torch.randn(4, 6)))
    assert equalize(graph) is graph


def test_tokens_that_are_laid_end_to_end_are_left_alone():
    """There, an input of the second layer is no repetition of an output of the first."""
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)).eval()
    graph = simplify(trace(model, torch.randn(5, 3, 6)))
    assert equalize(graph) is graph


def error(graph, inputs, config: QuantConfig) -> float:
    wanted = interpret(graph, (inputs,))[0]
    given = interpret_integers(quantize(graph, config, [(inputs,)]), (inputs,))[0]
    return ((given - wanted).square().mean() / wanted.square().mean()).item()


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_equalisation_saves_layers_with_one_step_for_all(name):
    """Ranges that differ a thousandfold, 6 bits, one step per layer: at most half the error, seed 0."""
    _, inputs, graph = case(name, 0)
    plain = QuantConfig(weight_bits=6, activation_bits=12, per_channel=False)
    assert error(graph, inputs, plain.replace(equalize=True)) < 0.5 * error(graph, inputs, plain)


def test_bias_correction_gives_a_layer_its_mean():
    """One layer of 2-bit weights, with and without bias: the mean of every output is right to 1e-3 of its spread."""
    for has_bias in (True, False):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(12, 6, bias=has_bias)).eval()
        inputs = torch.rand(500, 12)
        graph = simplify(trace(model, inputs))
        config = QuantConfig(weight_bits=2, activation_bits=4)
        wanted = model(inputs).detach()
        plain, corrected = (
            interpret_integers(quantize(graph, choice, iter([(inputs,)])), (inputs,))[0]
            for choice in (config, config.replace(correct_bias=True))
        )
        assert (plain.mean(0) - wanted.mean(0)).abs().max() > 0.02
        torch.testing.assert_close(corrected.mean(0), wanted.mean(0), rtol=0, atol=1e-3)


def test_bias_correction_helps_networks_of_few_bits():
    """20 networks of 3-bit weights and 4-bit inputs, as PyTorch draws them, seeds 0 to 19: 10 % off the error."""
    config = QuantConfig(weight_bits=3, activation_bits=4)
    plain, corrected = 0.0, 0.0
    for seed in range(20):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 5)
        ).eval()
        inputs = torch.rand(64, 12)
        graph = simplify(trace(model, inputs))
        plain += error(graph, inputs, config)
        corrected += error(graph, inputs, config.replace(correct_bias=True))
    assert corrected < 0.9 * plain


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8])
def test_codes_are_those_of_the_bits(bits):
    _, inputs, graph = case("dense", 0)
    layers = quantize(graph, QuantConfig(weight_bits=bits), [(inputs,)]).layers.values()
    for layer in layers:
        found = set(layer.weight.flatten().tolist())
        top = 2 ** (bits - 1) - 1
        assert found == {-1, 1} if bits == 1 else found <= set(range(-top, top + 1))
        assert layer.weight_bits == max(bits, 2)


def test_binary_steps_are_mean_magnitudes():
    _, inputs, graph = case("dense", 0)
    quantized = quantize(graph, QuantConfig(weight_bits=1), [(inputs,)])
    for node in graph.matrices:
        weight = graph.tensors[node.weight].detach()
        torch.testing.assert_close(
            quantized.layers[node.name].weight_step, weight.abs().mean(1).double(), rtol=1e-6, atol=0
        )


def test_ternary_steps_are_of_least_error():
    """No other step, of 2,000 tried, has an error that is smaller by more than 1 %."""
    weight = torch.randn(1, 400, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(400, 1, bias=False)).eval()
    with torch.no_grad():
        model[0].weight.copy_(weight)
    graph = simplify(trace(model, torch.randn(8, 400)))
    (layer,) = quantize(graph, QuantConfig(weight_bits=2), [(torch.randn(8, 400),)]).layers.values()

    def left(step):
        return ((weight / step).round().clamp(-1, 1) * step - weight).square().sum()

    best = min(left(step) for step in torch.linspace(0.01, 4, 2000))
    assert left(layer.weight_step.item()) < 1.01 * best


def test_single_layers_have_bits_of_their_own():
    _, inputs, graph = case("dense", 0)
    config = QuantConfig(weight_bits=4, layers={"2": LayerQuantConfig(weight_bits=8, activation_bits=3)})
    layers = quantize(graph, config, [(inputs,)]).layers
    assert [(layer.weight_bits, layer.input_bits) for layer in layers.values()] == [(4, 8), (8, 3), (4, 8)]


def test_unknown_layers_are_refused_with_the_nearest_name():
    _, inputs, graph = case("dense", 0)
    with pytest.raises(ConfigError, match="no matrix operation is called '22'"):
        quantize(graph, QuantConfig(layers={"22": LayerQuantConfig()}), [(inputs,)])


@pytest.mark.parametrize("bits", [0, 17, -1])
def test_bits_out_of_range_are_refused(bits):
    with pytest.raises(ConfigError, match="weight_bits"):
        QuantConfig(weight_bits=bits)
