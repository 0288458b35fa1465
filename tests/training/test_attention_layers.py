"""Attention and transformers with projections on macros."""

import pytest
import torch
from torch import nn

from crossloom.spec import load_system
from crossloom.training import (
    AnalogConfig,
    AnalogMatrix,
    AnalogMultiheadAttention,
    analog_matrices,
    convert_to_analog,
    convert_to_digital,
    noisy,
)
from crossloom.training.effects import WeightNoise
from flows import normal

FINE = AnalogConfig(weight_bits=16, activation_bits=16)
IDEAL = load_system("ideal")
TOLERANCE = 5e-4  # 16-bit codes


def attention(**options) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    plain = nn.MultiheadAttention(8, 2, **options)
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.3)
    return plain.eval()


def assert_close(one, other) -> None:
    for left, right in zip(one, other, strict=True):
        assert (left is None) == (right is None)
        if left is not None:
            torch.testing.assert_close(left, right, rtol=0, atol=TOLERANCE)


MASKS = {
    "none": {},
    "causal": {"attn_mask": torch.ones(5, 5).triu(1).bool()},
    "float": {"attn_mask": normal(5, 5, seed=5)},
    "heads": {"attn_mask": normal(6, 5, 5, seed=5) > 1.2},
    "padding": {"key_padding_mask": torch.arange(5) >= torch.tensor([[5], [3], [1]])},
    "both": {
        "attn_mask": torch.ones(5, 5).triu(1).bool(),
        "key_padding_mask": torch.arange(5) >= torch.tensor([[5], [3], [1]]),
    },
    "averaged": {"average_attn_weights": False},
    "unasked": {"need_weights": False},
    "unasked mask": {"need_weights": False, "attn_mask": torch.ones(5, 5).triu(1).bool()},
}


@pytest.mark.parametrize(
    "options", [{}, {"bias": False}, {"add_bias_kv": True, "add_zero_attn": True}], ids=str
)
@pytest.mark.parametrize("mask", MASKS)
def test_with_16_bits_the_twin_is_the_plain_layer(mask, options):
    plain, values = attention(batch_first=True, **options), normal(3, 5, 8)
    analog = convert_to_analog(plain, IDEAL, FINE)
    assert isinstance(analog, AnalogMultiheadAttention)
    assert_close(analog(values, values, values, **MASKS[mask]), plain(values, values, values, **MASKS[mask]))


@pytest.mark.parametrize("batch_first", [True, False])
def test_queries_may_attend_to_keys_and_values_of_other_sizes(batch_first):
    plain = attention(kdim=6, vdim=4, batch_first=batch_first)
    given = [normal(3, tokens, size, seed=size) for tokens, size in ((5, 8), (7, 6), (7, 4))]
    given = given if batch_first else [values.transpose(0, 1) for values in given]
    analog = convert_to_analog(plain, IDEAL, FINE, tuple(given))
    assert_close(analog(*given), plain(*given))
    back = convert_to_digital(analog)
    assert list(back.state_dict()) == list(plain.state_dict())
    assert_close(back(*given), plain(*given))


def test_one_sequence_needs_no_batch():
    plain, values = attention(), normal(5, 8)
    analog = convert_to_analog(plain, IDEAL, FINE)
    mask = torch.tensor([False, False, False, True, True])
    assert_close(analog(values, values, values, mask), plain(values, values, values, mask))


def test_gradients_are_those_of_the_plain_layer():
    """Within 1 % of the largest; nothing is clipped."""
    plain, values = attention(batch_first=True).train(), normal(3, 5, 8)
    analog = convert_to_analog(plain, IDEAL, FINE.replace(per_channel=False), (values, values, values))
    for model in (plain, analog):
        model(values, values, values)[0].square().sum().backward()
    for name, parameter in plain.named_parameters():
        gradient = analog.get_parameter(name).grad
        assert (gradient - parameter.grad).abs().max() < 0.01 * parameter.grad.abs().max() + 1e-5, name


def test_dropout_of_attention_acts_while_training_only():
    plain, values = attention(dropout=0.5, batch_first=True), normal(3, 5, 8)
    analog = convert_to_analog(plain, IDEAL, FINE, (values, values, values))
    for need_weights in (True, False):
        first, second = (
            analog.train()(values, values, values, need_weights=need_weights)[0] for _ in range(2)
        )
        assert not torch.equal(first, second)
        first, second = (
            analog.eval()(values, values, values, need_weights=need_weights)[0] for _ in range(2)
        )
        assert torch.equal(first, second)


def test_there_and_back_has_integers_times_steps_and_the_output_has_learned():
    plain, values = attention(batch_first=True), normal(3, 5, 8)
    analog = convert_to_analog(plain, IDEAL, AnalogConfig(weight_bits=4), (values, values, values))
    back = convert_to_digital(analog)
    assert type(back) is nn.MultiheadAttention
    assert list(back.state_dict()) == list(plain.state_dict())
    for part, weight in zip("qkv", back.in_proj_weight.detach().chunk(3), strict=True):
        integers = weight / analog.get_submodule(f"matrix_{part}").weight_step.detach().view(-1, 1)
        torch.testing.assert_close(integers, integers.round(), rtol=0, atol=1e-4)
    assert back.out_proj.learned.weight_bits == 4
    assert torch.equal(back.in_proj_bias, plain.in_proj_bias)


def encoder() -> nn.TransformerEncoder:
    torch.manual_seed(0)
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()


def count_calls(model: nn.Module, *inputs, **options) -> dict[str, int]:
    """How often every matrix ran in one pass; wrapped, not hooked, since hooks alone turn fast paths off."""
    calls, held = dict.fromkeys(analog_matrices(model), 0), AnalogMatrix.read

    def read(self, values, cells):
        calls[names[id(self)]] += 1
        return held(self, values, cells)

    names = {id(matrix): name for name, matrix in analog_matrices(model).items()}
    AnalogMatrix.read = read
    try:
        model(*inputs, **options)
    finally:
        AnalogMatrix.read = held
    return calls


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("has_padding", [True, False])
@pytest.mark.parametrize("digital", [(), ("layers.0.self_attn", "layers.1.self_attn")], ids=["all", "mlp"])
def test_layers_of_transformers_call_every_analog_layer_in_every_mode(is_training, has_padding, digital):
    """Without gradients and in evaluation mode, torch.nn would compute whole layers past them."""
    plain, values = encoder(), normal(3, 5, 8)
    padding = torch.arange(5) >= torch.tensor([[5], [3], [1]]) if has_padding else None
    config = FINE.replace(digital=digital)
    analog = convert_to_analog(plain, IDEAL, config)
    with torch.no_grad():
        given, wanted = (model(values, src_key_padding_mask=padding) for model in (analog, plain))
        calls = count_calls(analog.train(is_training), values, src_key_padding_mask=padding)
    assert len(calls) == (4 if digital else 12)
    assert set(calls.values()) == {1}
    there = slice(None) if padding is None else ~padding
    torch.testing.assert_close(given[there], wanted[there], rtol=0, atol=10 * TOLERANCE)


def test_transformers_that_come_back_have_their_fast_path_again():
    plain, values = encoder(), normal(3, 5, 8)
    analog = convert_to_analog(plain, IDEAL, FINE, values)
    assert not analog.use_nested_tensor
    back = convert_to_digital(analog)
    assert back.use_nested_tensor
    assert [layer.activation_relu_or_gelu for layer in back.layers] == [1, 1]
    assert set(vars(back)) == set(vars(plain))
    assert plain.use_nested_tensor
    torch.testing.assert_close(back(values), plain(values), rtol=0, atol=10 * TOLERANCE)


def test_a_whole_transformer_trains_with_noise():
    torch.manual_seed(0)
    plain = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    given = normal(3, 5, 8), normal(3, 4, 8, seed=1)
    config = AnalogConfig(effects=(WeightNoise(sigma=0.05),))
    analog = convert_to_analog(plain, load_system("tsinghua_c200"), config, given).train()
    analog(*given).square().sum().backward()
    for name, parameter in analog.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    analog.eval()
    with torch.no_grad(), noisy(analog):
        assert not torch.equal(analog(*given), analog(*given))
