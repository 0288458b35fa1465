"""What gates make of products, digitally: one step of a recurrent layer, as torch.nn defines it."""

from collections.abc import Callable

import torch

State = tuple[torch.Tensor, ...]
"""The state (hidden) [sequence, hidden] or that of an LSTM, (hidden, cell)."""

Gates = Callable[[torch.Tensor, torch.Tensor, State], State]
"""From the products of input and state, both [sequence, gate * hidden] with their biases, to the next state."""


def _rnn_tanh(given: torch.Tensor, recurred: torch.Tensor, state: State) -> State:
    return (torch.tanh(given + recurred),)


def _rnn_relu(given: torch.Tensor, recurred: torch.Tensor, state: State) -> State:
    return (torch.relu(given + recurred),)


def _lstm(given: torch.Tensor, recurred: torch.Tensor, state: State) -> State:
    """c' = f c + i g,  h' = o tanh(c')."""
    inward, forget, new, outward = (given + recurred).chunk(4, 1)
    cell = torch.sigmoid(forget) * state[1] + torch.sigmoid(inward) * torch.tanh(new)
    return torch.sigmoid(outward) * torch.tanh(cell), cell


def _gru(given: torch.Tensor, recurred: torch.Tensor, state: State) -> State:
    """h' = (1 - z) n + z h,  n = tanh(given + r recurred)."""
    reset_given, update_given, new_given = given.chunk(3, 1)
    reset_recurred, update_recurred, new_recurred = recurred.chunk(3, 1)
    reset = torch.sigmoid(reset_given + reset_recurred)
    update = torch.sigmoid(update_given + update_recurred)
    new = torch.tanh(new_given + reset * new_recurred)
    return (new + update * (state[0] - new),)


GATES: dict[str, Gates] = {"RNN_TANH": _rnn_tanh, "RNN_RELU": _rnn_relu, "LSTM": _lstm, "GRU": _gru}
"""By what torch.nn calls the mode of a recurrent layer."""
