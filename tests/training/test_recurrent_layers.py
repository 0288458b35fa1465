"""Recurrent layers on macros: the plain layer's function, its forms of input, and cells that one pass draws once."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence

from crossloom.errors import DataError
from crossloom.spec import load_system
from crossloom.training import (
    AnalogConfig,
    AnalogLSTM,
    WeightNoise,
    analog_matrices,
    convert_to_analog,
    convert_to_digital,
)
from flows import normal

FINE = AnalogConfig(weight_bits=16, activation_bits=16)
IDEAL = load_system("ideal")
KINDS = {
    "rnn": (nn.RNN, {}),
    "relu": (nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, {}),
    "gru": (nn.GRU, {}),
    "projected": (nn.LSTM, {"proj_size": 3}),
}
FORMS = {
    "one": {},
    "deep": {"num_layers": 3},
    "both": {"bidirectional": True, "num_layers": 2, "batch_first": True},
    "unbiased": {"bias": False, "batch_first": True},
}


def made(kind: str, form: str = "both") -> nn.Module:
    torch.manual_seed(0)
    maker, options = KINDS[kind]
    return maker(5, 7, **options, **FORMS[form]).eval()


def flat(answer) -> list[torch.Tensor]:
    """All tensors of an answer, in order."""
    if isinstance(answer, torch.Tensor):
        return [answer]
    return [tensor for part in answer if part is not None for tensor in flat(part)]


def twin(plain: nn.Module) -> nn.Module:
    """The plain layer on macros; what it meets first sets its steps."""
    return convert_to_analog(plain, IDEAL, FINE)


def assert_same(one, other, tolerance: float = 5e-4) -> None:
    """Within 5e-4: codes of 16 bits are off by 1 in 65,000 of the range, and states carry that on."""
    for left, right in zip(flat(one), flat(other), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=tolerance)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_with_16_bits_the_twin_is_the_plain_layer(kind, form):
    plain, values = made(kind, form), normal(6, 4, 5)
    analog = twin(plain)
    assert type(analog).__name__ == f"Analog{type(plain).__name__}"
    assert_same(analog(values), plain(values))
    start = [normal(*part.shape, seed=3) * 0.5 for part in flat(plain(values)[1])]
    given = tuple(start) if len(start) > 1 else start[0]
    assert_same(twin(plain)(values, given), plain(values, given))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_plain_layer(kind):
    """Within 3 % of the largest: rounding passes gradients through, but weights and values that are clipped have none,
    and a state or two is."""
    plain, values = made(kind), normal(4, 6, 5).requires_grad_()
    analog = convert_to_analog(plain, IDEAL, FINE.replace(per_channel=False), values.detach())
    (to_input,) = torch.autograd.grad(plain(values)[0].square().sum(), values, retain_graph=True)
    plain(values)[0].square().sum().backward()
    values.grad = None
    analog(values)[0].square().sum().backward()
    assert (values.grad - to_input).abs().max() < 0.03 * to_input.abs().max()
    for name, parameter in plain.named_parameters():
        difference = analog.get_parameter(name).grad - parameter.grad
        if name.startswith("weight"):
            matrix = analog.get_submodule(name.replace("weight", "matrix"))
            is_inside = parameter.abs() < matrix.plan.largest_weight * matrix.weight_step
            assert is_inside.sum() >= is_inside.numel() - 2
            difference = difference[is_inside]
        assert difference.abs().max() < 0.03 * parameter.grad.abs().max(), name


@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_sequences_of_several_lengths_run_as_in_the_plain_layer(kind, enforce_sorted):
    plain = made(kind)
    lengths = (6, 4, 4, 1) if enforce_sorted else (4, 1, 6, 4)
    sequences = [normal(length, 5, seed=number) for number, length in enumerate(lengths)]
    packed = pack_sequence(sequences, enforce_sorted)
    (given, state), (wanted, wanted_state) = twin(plain)(packed), plain(packed)
    assert isinstance(given, PackedSequence)
    assert_same(state, wanted_state)
    assert_same(pad_packed_sequence(given)[0], pad_packed_sequence(wanted)[0])
    start = tuple(normal(*part.shape, seed=9) * 0.5 for part in flat(wanted_state))
    start = start if len(start) > 1 else start[0]
    assert_same(
        pad_packed_sequence(twin(plain)(packed, start)[0])[0], pad_packed_sequence(plain(packed, start)[0])[0]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_one_sequence_needs_no_batch(kind):
    plain, values = made(kind), normal(6, 5)
    (given, state), (wanted, wanted_state) = twin(plain)(values), plain(values)
    assert given.shape == wanted.shape
    assert_same((given, state), (wanted, wanted_state))
    assert_same(twin(plain)(values, wanted_state), plain(values, wanted_state))


@pytest.mark.parametrize("is_batched", [True, False])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (nn.RNNCell, {}),
        (nn.RNNCell, {"nonlinearity": "relu"}),
        (nn.LSTMCell, {}),
        (nn.GRUCell, {"bias": False}),
    ],
)
def test_cells_are_the_plain_cells_step_by_step(kind, options, is_batched):
    torch.manual_seed(0)
    plain, values = kind(5, 7, **options), normal(4, 3, 5) if is_batched else normal(4, 5)
    state = None
    for step in values:
        analog, wanted = twin(plain), plain(step, state)
        assert_same(analog(step, state), wanted)
        assert_same(convert_to_digital(analog)(step, state), wanted)
        state = wanted


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_is_the_plain_layer_with_integers_times_steps(kind):
    plain, values = made(kind), normal(6, 4, 5)
    config = AnalogConfig(weight_bits=4, activation_bits=8)
    analog = convert_to_analog(plain, IDEAL, config, values)
    back = convert_to_digital(analog)
    assert type(back) is type(plain)
    assert repr(back) == repr(plain)
    assert list(back.state_dict()) == list(plain.state_dict())
    for name, parameter in back.named_parameters():
        if name.startswith("bias"):
            assert torch.equal(parameter, plain.get_parameter(name))
            continue
        matrix = analog.get_submodule(name.replace("weight", "matrix"))
        step = matrix.weight_step.detach().view(-1, 1)
        integers = parameter.detach() / step
        torch.testing.assert_close(integers, integers.round(), rtol=0, atol=1e-4)
        assert integers.abs().max() <= 7.001
        assert ((parameter - plain.get_parameter(name)).abs() < step * 3).all()


def test_names_of_parameters_stay_and_every_layer_and_direction_has_its_matrices():
    plain = made("lstm")
    analog = convert_to_analog(plain, IDEAL, FINE)
    names = [name for name, _ in analog.named_parameters() if not name.startswith("matrix")]
    assert names == list(plain.state_dict())
    parts = [
        f"{kind}_l{layer}{side}" for layer in (0, 1) for side in ("", "_reverse") for kind in ("ih", "hh")
    ]
    assert list(analog_matrices(analog)) == [f"matrix_{part}" for part in parts]


def test_one_pass_draws_cells_once_for_all_steps():
    """An identity that holds its state: drawn once, the same growth acts at every step; drawn anew, another one."""
    plain = nn.RNN(1, 1, bias=False, nonlinearity="relu")
    nn.init.ones_(plain.weight_hh_l0)
    config = AnalogConfig(weight_bits=8, activation_bits=16, effects=(WeightNoise(sigma=0.02),))
    values, start = torch.zeros(4, 1, 1), torch.ones(1, 1, 1)
    analog = convert_to_analog(plain, IDEAL, config, (values, 4 * start)).train()
    torch.manual_seed(0)
    first, second = (analog(values, start)[0].flatten() for _ in range(2))
    growth = first[1:] / first[:-1]
    torch.testing.assert_close(growth, growth[:1].expand(3), rtol=1e-3, atol=0)  # rounded to 16 bits
    assert (growth[0] - second[1] / second[0]).abs() > 1e-2


def test_dropout_between_layers_acts_while_training_only():
    torch.manual_seed(0)
    plain = nn.GRU(5, 7, 2, dropout=0.5)
    values = normal(6, 4, 5)
    analog = convert_to_analog(plain, IDEAL, FINE, values)
    assert not torch.allclose(analog.train()(values)[0], analog(values)[0])
    assert torch.equal(analog.eval()(values)[0], analog(values)[0])


def test_training_an_lstm_with_noise_and_converters_learns():
    """The sign of a sum over 4 steps, 128 sequences, seed 0: the loss falls to less than half."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.LSTM(1, 8, batch_first=True), Last(), nn.Linear(8, 1))
    values = normal(128, 4, 1)
    labels = (values.sum(1) > 0).float()
    config = AnalogConfig(effects=(WeightNoise(sigma=0.02),))
    analog = convert_to_analog(model, load_system("tsinghua_c200"), config, values)
    optimiser = torch.optim.Adam(analog.parameters(), 0.05)
    losses = []
    for _ in range(20):
        loss = nn.functional.binary_cross_entropy_with_logits(analog(values), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


class Last(nn.Module):
    def forward(self, answer):
        return answer[0][:, -1]


@pytest.mark.parametrize("shape", [(4,), (6, 4, 3), (2, 2, 2, 5), (0, 4, 5)])
def test_inputs_of_another_shape_are_refused_in_one_line(shape):
    analog = convert_to_analog(made("lstm"), IDEAL, FINE)
    with pytest.raises(DataError, match=r"LSTM: need sequences of vectors of 5 numbers") as caught:
        analog(torch.zeros(shape))
    assert "\n" not in str(caught.value)


def test_states_of_another_shape_are_refused():
    analog = convert_to_analog(made("gru"), IDEAL, FINE)
    with pytest.raises(DataError, match=r"GRU: need states \[4, 6, 7\], got \[4, 5, 7\]"):
        analog(normal(6, 3, 5), torch.zeros(4, 5, 7))


def test_what_models_ask_of_recurrent_layers_is_there():
    analog = convert_to_analog(made("projected"), IDEAL, FINE)
    assert isinstance(analog, AnalogLSTM)
    analog.flatten_parameters()
    assert (analog.hidden_size, analog.num_layers, analog.bidirectional, analog.proj_size) == (7, 2, True, 3)
