"""Quantised graphs have an exact integer meaning, close to that of the float graph."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.errors import CrossloomError, DataError, GraphError
from crossloom.graph import interpret
from crossloom.quant import QuantConfig, integer_sums, interpret_integers, quantize
from crossloom.testing.strategies import quantisations
from crossloom.windows import Window
from flows import normal
from small_graphs import chain_graph, convolution_graph, linear_graph, token_graph

INPUTS = normal(64, 20)
GRAPH = chain_graph(normal(12, 20, seed=1), normal(5, 12, seed=2))


@settings(max_examples=40, deadline=None)
@given(quantisations(), st.integers(0, 1000))
def test_every_code_lies_in_its_range(config, seed):
    inputs = normal(10, 6, seed=seed)
    layer = quantize(linear_graph(normal(3, 6, seed=seed + 1)), config, [(inputs,)]).layers["layer"]
    top = 2 ** (layer.weight_bits - 1) - 1
    assert layer.weight.abs().max() <= top
    codes = layer.quantize_input(100 * inputs)
    assert torch.equal(codes, codes.round())
    lowest, highest = layer.input_range
    assert lowest <= codes.min()
    assert codes.max() <= highest
    assert layer.input_is_signed or codes.min() == 0


def test_more_bits_come_closer_to_float():
    exact = interpret(GRAPH, (INPUTS,))[0]
    errors = []
    for bits in (3, 5, 8, 12):
        config = QuantConfig(weight_bits=bits, activation_bits=bits)
        answer = interpret_integers(quantize(GRAPH, config, [(INPUTS,)]), (INPUTS,))[0]
        errors.append(((answer - exact).square().mean() / exact.square().mean()).item())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-5


def test_values_that_lie_on_the_grid_are_exact():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randint(-7, 8, (4, 9), generator=generator).float()
    inputs = torch.randint(-7, 8, (30, 9), generator=generator).float()
    weight[:, 0], inputs[0] = 7, 7
    config = QuantConfig(weight_bits=4, activation_bits=4, weight_range="min_max", activation_range="min_max")
    quantized = quantize(linear_graph(weight), config, [(inputs,)])
    assert torch.equal(interpret_integers(quantized, (inputs,))[0], inputs @ weight.T)


def test_a_step_per_channel_serves_channels_of_any_size():
    weight = normal(4, 30) * torch.tensor([[1e-3], [1.0], [30.0], [1e-6]])
    for per_channel, is_close in ((True, True), (False, False)):
        config = QuantConfig(weight_bits=8, per_channel=per_channel)
        layer = quantize(linear_graph(weight), config, [(normal(5, 30),)]).layers["layer"]
        back = layer.weight * layer.weight_step.unsqueeze(1)
        error = (back - weight).square().sum(1) / weight.square().sum(1)
        assert (error < 1e-3).all() == is_close
        assert (len(layer.weight_step.unique()) == 4) == per_channel


def test_the_sign_of_inputs_is_found_in_the_data():
    for values, is_signed in ((normal(9, 20).abs(), False), (normal(9, 20), True)):
        layer = quantize(GRAPH, QuantConfig(), [(values,)]).layers["layer1"]
        assert layer.input_is_signed == is_signed
    layers = quantize(GRAPH, QuantConfig(), [(INPUTS,)]).layers
    assert (layers["layer1"].input_is_signed, layers["layer2"].input_is_signed) == (True, False)
    forced = quantize(GRAPH, QuantConfig(activations_are_signed=True), [(INPUTS,)]).layers["layer2"]
    assert forced.input_is_signed


def test_all_batches_count():
    small, large = normal(10, 20), 50 * normal(10, 20)
    config = QuantConfig(activation_range="min_max")
    steps = [
        quantize(GRAPH, config, batches).layers["layer1"].input_step
        for batches in ([(small,)], [(small,), (large,)], [(large,), (small,)])
    ]
    assert steps[1] == steps[2] > 10 * steps[0]


def test_batches_may_come_from_a_generator():
    once = quantize(GRAPH, QuantConfig(), (batch for batch in [(INPUTS[:32],), (INPUTS[32:],)]))
    assert once.layers["layer1"].input_step > 0


def test_the_extremes_are_seen_however_large_the_batch():
    values = torch.zeros(2000, 20)
    values[1234, 7] = 99.0
    layer = quantize(GRAPH, QuantConfig(activation_range="min_max"), [(values,)]).layers["layer1"]
    assert layer.input_step * 255 == pytest.approx(99.0)


def test_convolutions_are_summed_up_as_torch_does():
    window = Window((3, 3), (2, 1), (1, 1), (1, 1))
    weight = normal(6, 2, 3, 3)
    graph = convolution_graph(weight, (8, 7), window, groups=2)
    inputs = normal(3, 4, 8, 7)
    quantized = quantize(graph, QuantConfig(weight_bits=8, activation_bits=8), [(inputs,)])
    layer, node = quantized.layers["layer"], graph.matrices[0]
    codes = layer.quantize_input(inputs)
    exact = torch.nn.functional.conv2d(codes.double(), layer.weight.double(), None, (2, 1), (1, 1), (1, 1), 2)
    assert torch.equal(integer_sums(node, layer, codes).double(), exact)


def test_sums_beyond_what_float32_holds_stay_exact():
    weight = torch.full((1, 3000), 1.0)
    inputs = torch.full((2, 3000), 1.0)
    inputs[1, 0] = 0.0
    config = QuantConfig(
        weight_bits=16, activation_bits=16, weight_range="min_max", activation_range="min_max"
    )
    quantized = quantize(linear_graph(weight), config, [(inputs,)])
    layer = quantized.layers["layer"]
    assert layer.exact_dtype == torch.float64
    sums = integer_sums(quantized.graph.matrices[0], layer, layer.quantize_input(inputs))
    assert sums.flatten().tolist() == [3000 * 32767 * 65535, 2999 * 32767 * 65535]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_graph_of_another_float_type_stays_of_that_type(dtype):
    weight, inputs = normal(4, 6).to(dtype), normal(8, 6).to(dtype)
    graph = linear_graph(weight)
    node = graph.nodes[0]
    graph = type(graph)(
        (type(node)("x", node.shape, str(dtype).removeprefix("torch.")), *graph.nodes[1:]),
        graph.outputs,
        True,
        graph.tensors,
    )
    quantized = quantize(graph, QuantConfig(weight_bits=12, activation_bits=12), [(inputs,)])
    answer = interpret_integers(quantized, (inputs,))[0]
    assert answer.dtype == dtype
    torch.testing.assert_close(answer.float(), (inputs.float() @ weight.float().T), rtol=0.02, atol=0.02)


def test_token_numbers_pass_through_an_embedding():
    tokens = torch.randint(0, 9, (7, 5), generator=torch.Generator().manual_seed(0))
    graph = token_graph(normal(9, 6), normal(3, 6, seed=1))
    quantized = quantize(graph, QuantConfig(), [(tokens,)])
    exact = interpret(graph, (tokens,))[0]
    torch.testing.assert_close(interpret_integers(quantized, (tokens,))[0], exact, atol=0.1, rtol=0)


def test_empty_calibration_data_are_refused():
    for batches in ([], iter(())):
        with pytest.raises(DataError, match="calibration data are empty"):
            quantize(GRAPH, QuantConfig(), batches)
    with pytest.raises(DataError, match="empty"):
        quantize(GRAPH, QuantConfig(), [(torch.zeros(0, 20),)])


@pytest.mark.parametrize(
    "batch",
    [
        (torch.zeros(3, 21),),
        (torch.zeros(3, 20, dtype=torch.int64),),
        (torch.zeros(20),),
        (torch.zeros(3, 20), torch.zeros(3, 20)),
        (torch.full((3, 20), float("nan")),),
        (torch.full((3, 20), float("inf")),),
        ([[0.0] * 20],),
        torch.zeros(3, 20),
    ],
)
def test_calibration_data_that_do_not_fit_are_refused(batch):
    with pytest.raises(DataError):
        quantize(GRAPH, QuantConfig(), [(INPUTS,), batch])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["w", "b"])
def test_weights_that_are_not_finite_are_refused_by_name_before_any_work(value, where):
    graph = linear_graph(normal(3, 4), normal(3))
    graph.tensors[where].view(-1)[1] = value

    def data():
        raise AssertionError("work was done")
        yield

    with pytest.raises(GraphError, match=f"layer: tensor '{where}' holds NaN or infinite"):
        quantize(graph, QuantConfig(), data())


def test_values_that_overflow_on_the_way_are_refused_by_name():
    graph = chain_graph(torch.full((2, 4), 1e38), normal(2, 2))
    with pytest.raises(DataError, match="layer2: calibration data make NaN or infinite"):
        quantize(graph, QuantConfig(), [(torch.full((2, 4), 1e3),)])


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_a_layer_of_nothing_is_refused_by_name(shape):
    with pytest.raises(CrossloomError):
        quantize(linear_graph(torch.zeros(shape)), QuantConfig(), [(torch.zeros(2, shape[1]),)])


def test_a_graph_without_matrices_is_quantised_to_itself():
    graph = linear_graph(normal(2, 2))
    graph = type(graph)(graph.nodes[:1], ("x",), True, {})
    quantized = quantize(graph, QuantConfig(), [(normal(3, 2),)])
    assert quantized.layers == {}
    assert "none to quantise" in quantized.summary()
