"""What was learned in training is what is quantised: integers stay, steps follow the folding, the rest is refused."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.errors import ConfigError, DataError
from crossloom.quant import (
    LearnedLayer,
    QuantConfig,
    code_range,
    interpret_integers,
    learned_codes,
    quantize,
)
from crossloom.spec import PrecisionSpec
from flows import normal
from small_graphs import chain_graph, linear_graph

LEARNED = LearnedLayer(torch.tensor(0.05), 4, 0.1, 4, True)
INPUTS = normal(16, 9)


def integers(*shape: int, bits: int = 4, seed: int = 0) -> torch.Tensor:
    low, high = code_range(bits, True)
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high + 1, shape, generator=generator).to(torch.int16)


def quantized_layer(weight, learned, codes, config=None, **options):
    graph = linear_graph(weight)
    return quantize(graph, config or QuantConfig(), [(INPUTS,)], {"layer": (learned, codes)}, **options)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 16),
    st.floats(1e-6, 1e3),
    st.booleans(),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 1000),
)
def test_integers_come_back_from_weights_whatever_the_step_and_the_bits(bits, step, per_output, dtype, seed):
    codes = integers(5, 4, 3, bits=bits, seed=seed)
    steps = step * (1 + normal(5, seed=seed).square().double()) if per_output else torch.tensor(step).double()
    learned = replace(LEARNED, weight_step=steps, weight_bits=bits)
    weight = codes.double() * (steps.view(5, 1, 1) if per_output else steps)
    assert torch.equal(learned_codes("layer", weight.to(dtype), learned), codes)


def test_integers_come_back_from_weights_of_half_precision():
    codes = integers(6, 9)
    for dtype in (torch.bfloat16, torch.float16):
        assert torch.equal(learned_codes("layer", (codes * 0.0371).to(dtype), step_of(0.0371)), codes)


def step_of(step: float) -> LearnedLayer:
    return replace(LEARNED, weight_step=torch.tensor(step, dtype=torch.float64))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-30, 30, width=32), min_size=5, max_size=5), st.integers(0, 1000))
def test_folding_changes_steps_and_no_integer(factors, seed):
    codes = integers(5, 9, seed=seed)
    codes[:, 0] = 7
    factor = torch.tensor(factors)
    layer = quantized_layer(codes * 0.05 * factor.unsqueeze(1), LEARNED, codes).layers["layer"]
    assert torch.equal(layer.weight, codes)
    torch.testing.assert_close(layer.weight_step, 0.05 * factor.double(), rtol=1e-6, atol=1e-38)
    exact = (layer.quantize_input(INPUTS) * 0.1).double() @ (codes.double() * 0.05 * factor.unsqueeze(1)).T
    found = interpret_integers(quantized_layer(codes * 0.05 * factor.unsqueeze(1), LEARNED, codes), (INPUTS,))
    torch.testing.assert_close(found[0].double(), exact, rtol=1e-5, atol=1e-5)


def test_what_nothing_was_folded_into_keeps_the_learned_step_to_the_last_bit():
    for step in (0.05, 0.0371, 1 / 3, 7.7e-5):
        codes = integers(40, 9)
        layer = quantized_layer((codes * step).float(), step_of(step), codes).layers["layer"]
        assert layer.weight_step.tolist() == [step] * 40


def test_an_output_whose_integers_are_all_zero_keeps_the_learned_step():
    codes = integers(3, 9)
    codes[1] = 0
    layer = quantized_layer(codes * -0.1, LEARNED, codes).layers["layer"]
    assert layer.weight_step.tolist() == pytest.approx([-0.1, 0.05, -0.1])


def test_a_factor_too_small_for_the_type_is_as_good_as_zero():
    codes = integers(2, 9)
    # float32 has no more than two digits left there: 3e-44 is 21 of its smallest steps.
    weight = codes * torch.tensor([[0.05], [3e-44]])
    assert weight[1].unique().numel() > 3
    layer = quantized_layer(weight / torch.tensor([[1.0], [1.7]]), LEARNED, codes).layers["layer"]
    assert torch.equal(layer.weight, codes)
    assert abs(layer.weight_step[1].item()) < 1e-37


def test_input_step_bits_and_sign_are_the_learned_ones_and_power_is_measured():
    codes = integers(4, 9)
    learned = replace(LEARNED, input_step=0.3, input_bits=3, input_is_signed=True, weight_bits=5)
    layer = quantized_layer(codes * 0.05, learned, codes).layers["layer"]
    assert (layer.weight_bits, layer.input_step, layer.input_bits, layer.input_is_signed) == (5, 0.3, 3, True)
    lowest = (INPUTS / 0.3).round().clamp(-3, 3).square()
    # The extremes of the 144 values count twice in what is sampled.
    assert layer.input_power == pytest.approx((lowest.sum().item() + 18) / 146)


def test_layers_that_learned_nothing_are_quantised_as_ever():
    graph = chain_graph(integers(12, 9) * 0.05, normal(5, 12, seed=2))
    learned = {"layer1": (LEARNED, integers(12, 9))}
    precision = PrecisionSpec(weight_bits=3, activation_bits=5, activations_are_signed=None)
    mixed = quantize(graph, QuantConfig(), [(INPUTS,)], learned, precision)
    plain = quantize(graph, QuantConfig(weight_bits=3, activation_bits=5), [(INPUTS,)]).layers["layer2"]
    found = mixed.layers["layer2"]
    assert torch.equal(found.weight, plain.weight)
    assert torch.equal(found.weight_step, plain.weight_step)
    assert (found.weight_bits, found.input_bits, found.input_step) == (3, 5, plain.input_step)
    assert (mixed.layers["layer1"].weight_bits, mixed.layers["layer1"].input_bits) == (4, 4)
    assert mixed.config == QuantConfig(weight_bits=3, activation_bits=5)


def test_a_learned_layer_can_be_copied():
    module = torch.nn.Linear(3, 2)
    module.learned = replace(LEARNED, output_step=0.5)
    copied = copy.deepcopy(module).learned
    assert isinstance(copied, LearnedLayer)
    assert (copied.weight_step.item(), copied.output_step) == (LEARNED.weight_step.item(), 0.5)


def test_steps_are_kept_as_plain_float64():
    step = torch.nn.Parameter(torch.tensor([0.1, 0.2]))
    learned = replace(LEARNED, weight_step=step)
    assert learned.weight_step.dtype == torch.float64
    assert not learned.weight_step.requires_grad


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("weight_step", torch.tensor(value)) for value in (0.0, -0.1, float("nan"), float("inf"))],
        *[("weight_step", torch.full(shape, 0.1)) for shape in ((0,), (2, 1))],
        *[("input_step", value) for value in (0.0, -1.0, float("nan"), None)],
        *[("output_step", value) for value in (0.0, -1.0, float("inf"))],
        *[("integration_time", value) for value in (0.0, -3.0)],
        *[(name, value) for name in ("weight_bits", "input_bits") for value in (1, 17, 4.0, True)],
    ],
    ids=str,
)
def test_what_cannot_have_been_learned_is_refused(field, value):
    with pytest.raises(ConfigError, match=rf"^{field}: need [^\n]*$"):
        replace(LEARNED, **{field: value})


def test_weights_that_are_no_multiples_of_the_step_are_refused_with_their_layer():
    codes = integers(6, 9)
    for weight in (codes * 0.0501, codes * 0.05 + 1e-4 * (codes == 3), normal(6, 9)):
        with pytest.raises(
            DataError, match=r"^conv1: weights must be integers times the learned step[^\n]*$"
        ):
            learned_codes("conv1", weight, LEARNED)


def test_integers_beyond_the_bits_are_refused():
    with pytest.raises(DataError, match=r"conv1: learned 3-bit weights go from -3 to 3, got 7"):
        learned_codes("conv1", torch.tensor([[0.35]]), replace(LEARNED, weight_bits=3))


def test_steps_for_other_outputs_are_refused():
    with pytest.raises(DataError, match=r"conv1: learned 2 weight steps for 6 outputs"):
        learned_codes("conv1", integers(6, 9) * 0.05, replace(LEARNED, weight_step=torch.ones(2)))


def test_what_no_factor_of_outputs_explains_is_refused():
    codes = integers(6, 9)
    by_input = codes * 0.05 * torch.linspace(0.9, 1.1, 9)
    dead = codes.clone()
    dead[2] = 0
    for weight, found in ((by_input, codes), (codes * 0.05, dead)):
        with pytest.raises(DataError, match=r"^layer: its weight is no longer the learned integers"):
            quantized_layer(weight, LEARNED, found)
    with pytest.raises(DataError, match=r"^layer: learned integers \[5, 9\] do not fit the weight \[6, 9\]"):
        quantized_layer(codes * 0.05, LEARNED, codes[:5])


@pytest.mark.parametrize(
    ("choice", "asked"), [("weight_bits", 8), ("activation_bits", 3), ("activations_are_signed", False)]
)
def test_a_choice_that_contradicts_what_was_learned_is_refused(choice, asked):
    codes = integers(6, 9)
    with pytest.raises(
        ConfigError, match=rf"layer learned with {choice}=.*QuantConfig asks for {choice}={asked}"
    ):
        quantized_layer(codes * 0.05, LEARNED, codes, QuantConfig(**{choice: asked}))
    same = QuantConfig(weight_bits=4, activation_bits=4, activations_are_signed=True)
    assert torch.equal(quantized_layer(codes * 0.05, LEARNED, codes, same).layers["layer"].weight, codes)


def test_what_the_system_is_made_for_gives_way_to_what_was_learned():
    codes = integers(6, 9)
    precision = PrecisionSpec(weight_bits=8, activation_bits=8, activations_are_signed=False)
    layer = quantized_layer(codes * 0.05, LEARNED, codes, precision=precision).layers["layer"]
    assert (layer.weight_bits, layer.input_bits, layer.input_is_signed) == (4, 4, True)


def test_a_layer_that_is_not_there_is_refused():
    codes = integers(6, 9)
    with pytest.raises(ConfigError, match=r"no matrix operation is called 'lager'.*layer"):
        quantize(linear_graph(codes * 0.05), QuantConfig(), [(INPUTS,)], {"lager": (LEARNED, codes)})
