"""What gates make of products, digitally: one step of a recurrent layer, as torch.nn and ONNX define it.

The sigmoid is computed from the exponential: torch rounds its own otherwise at the end of a vector than within, and the
code of a state must not depend on the place of its sample in a batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

State = tuple[Tensor, ...]
"""The hidden state [batch, hidden]; of an LSTM, (hidden, cell)."""

Product = Callable[[Tensor], Tensor]
"""From values [batch, in] to their products [batch, out], bias included."""

Step = Callable[[Tensor, State, Sequence[Product]], State]
"""From the input's products [batch, gate * hidden], the state, and the products that it meets, to the next state."""


@dataclass(frozen=True)
class Cell:
    """How many gates a cell has, how many parts its state, and what one step does."""

    num_gates: int
    num_states: int
    step: Step


def sigmoid(values: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), the same for a value wherever it lies in a tensor."""
    if values.requires_grad:
        return torch.sigmoid(values)  # its gradient is finite everywhere, that of what follows is not
    return values.neg().exp_().add_(1).reciprocal_()


def _rnn_tanh(given: Tensor, state: State, products: Sequence[Product]) -> State:
    return (torch.tanh(given + products[0](state[0])),)


def _rnn_relu(given: Tensor, state: State, products: Sequence[Product]) -> State:
    return (torch.relu(given + products[0](state[0])),)


def _lstm(given: Tensor, state: State, products: Sequence[Product]) -> State:
    """c' = f c + i g,  h' = o tanh(c'); a second product projects h'."""
    inward, forget, new, outward = _lstm_gates(given + products[0](state[0]))
    cell = forget * state[1] + inward * new
    shown = outward * torch.tanh(cell)
    return (products[1](shown) if len(products) > 1 else shown), cell


def _lstm_gates(gates: Tensor) -> Sequence[Tensor]:
    """i, f and o by the sigmoid, g by tanh x = 2 sigmoid(2 x) - 1: one exponential for all. `gates` is overwritten."""
    hidden = gates.shape[1] // 4
    if gates.requires_grad:
        inward, forget, new, outward = gates.chunk(4, 1)
        return sigmoid(inward), sigmoid(forget), torch.tanh(new), sigmoid(outward)
    gates[:, 2 * hidden : 3 * hidden] *= 2
    parts = gates.neg_().exp_().add_(1).reciprocal_().chunk(4, 1)
    parts[2].mul_(2).sub_(1)
    return parts


def _gru(given: Tensor, state: State, products: Sequence[Product]) -> State:
    """h' = n + z (h - n),  n = tanh(given + r (W h + b))."""
    recurred = products[0](state[0])
    hidden = given.shape[1] // 3
    reset, update = sigmoid(given[:, : 2 * hidden] + recurred[:, : 2 * hidden]).chunk(2, 1)
    new = torch.tanh(given[:, 2 * hidden :] + reset * recurred[:, 2 * hidden :])
    return (new + update * (state[0] - new),)


def _gru_reset_first(given: Tensor, state: State, products: Sequence[Product]) -> State:
    """h' = n + z (h - n),  n = tanh(given + W (r h) + b): ONNX's GRU with linear_before_reset = 0."""
    hidden = given.shape[1] // 3
    reset, update = sigmoid(given[:, : 2 * hidden] + products[0](state[0])).chunk(2, 1)
    new = torch.tanh(given[:, 2 * hidden :] + products[1](reset * state[0]))
    return (new + update * (state[0] - new),)


CELLS: Mapping[str, Cell] = {
    "rnn_tanh": Cell(1, 1, _rnn_tanh),
    "rnn_relu": Cell(1, 1, _rnn_relu),
    "lstm": Cell(4, 2, _lstm),
    "gru": Cell(3, 1, _gru),
    "gru_reset_first": Cell(3, 1, _gru_reset_first),
}
"""By `Recurrence.cell`. Gates lie in torch's order: input, forget, new, output; reset, update, new."""
