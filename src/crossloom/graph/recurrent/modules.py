"""Recurrent layers of torch.nn while a model is captured: calls of operations that keep time dynamic."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode

from crossloom.errors import UnsupportedOperationError
from crossloom.graph.recurrent.operations import layers, pack, unpack

aten = torch.ops.aten
_PLAIN = (nn.RNN.forward, nn.LSTM.forward, nn.GRU.forward)


@contextmanager
def capturing_recurrence(model: nn.Module) -> Iterator[None]:
    """Within, recurrent layers of torch.nn and packed sequences call the operations of this package."""
    found = [module for module in model.modules() if _is_plain(module)]
    with ExitStack() as stack:
        if found:
            stack.enter_context(_Packing())
        for module in found:
            module.forward = MethodType(_forward, module)
            stack.callback(module.__dict__.pop, "forward")
        yield


def _is_plain(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.RNNBase) and type(module).forward in _PLAIN and "forward" not in module.__dict__
    )


def _forward(self: nn.RNNBase, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
    """What torch.nn's own `forward` gives."""
    states = () if hx is None else tuple(hx) if isinstance(hx, tuple | list) else (hx,)
    if isinstance(input, PackedSequence):
        states = [_in_order(state, input.sorted_indices) for state in states]
        data, ends = _call(self, input.data, states, 0)
        ends = tuple(_in_order(end, input.unsorted_indices) for end in ends)
        return PackedSequence(data, *input[1:]), ends if self.mode == "LSTM" else ends[0]
    if input.dim() not in (2, 3):
        raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D instead")
    axis, is_batched = 0 if self.batch_first else 1, input.dim() == 3
    source = input if is_batched else input.unsqueeze(axis)
    states = [state if is_batched else state.unsqueeze(1) for state in states]
    self.check_input(source, None)
    if states:
        self.check_forward_args(source, tuple(states) if self.mode == "LSTM" else states[0], None)  # type: ignore[arg-type]
    outputs, ends = _call(self, source, states, 1 - axis)
    if not is_batched:
        outputs, ends = outputs.squeeze(axis), tuple(end.squeeze(1) for end in ends)
    return outputs, ends if self.mode == "LSTM" else ends[0]


def _call(
    module: nn.RNNBase, source: Tensor, states: Any, time_axis: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    weights = [getattr(module, name) for name in module._flat_weights_names]
    direction = "both" if module.bidirectional else "forward"
    cell = module.mode.lower()
    outputs, hidden, cells = layers(
        source, None, list(states), weights, cell, module.num_layers, direction, time_axis
    )
    return outputs, (hidden, cells) if cell == "lstm" else (hidden,)


def _in_order(state: Tensor, order: Tensor | None) -> Tensor:
    return state if order is None else state.index_select(1, order)


class _Packing(TorchFunctionMode):
    """Packs sequences by leaving them padded; their lengths go with them."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch._VF._pack_padded_sequence:
            source, lengths, batch_first = args
            return pack(source, lengths, int(batch_first))
        if func is torch._VF._pad_packed_sequence:
            return _unpack(*args)
        return func(*args, **(kwargs or {}))


def _unpack(
    data: Tensor, lengths: Tensor, batch_first: bool, padding: float, num_steps: Any
) -> tuple[Tensor, Tensor]:
    # Without `total_length` torch asks for as many steps as there are batch sizes, of which `pack` gives one.
    if isinstance(num_steps, int) and num_steps == 1 != data.shape[0]:
        raise UnsupportedOperationError(
            "pad_packed_sequence without total_length gives as many steps as the longest sequence of a batch has; "
            "write pad_packed_sequence(..., total_length=x.shape[1]), with the padded length of its input"
        )
    return unpack(data, lengths, int(batch_first), float(padding), num_steps)


def _sequence(cell: str) -> Callable[..., Any]:
    def decompose(
        source: Tensor, states: Any, weights: list[Tensor], has_biases: bool, num_layers: int, dropout: float,
        train: bool, bidirectional: bool, batch_first: bool,
    ) -> Any:  # fmt: skip
        if train and dropout and num_layers > 1:
            return NotImplemented
        states = list(states) if isinstance(states, list | tuple) else [states]
        direction = "both" if bidirectional else "forward"
        outputs, hidden, cells = layers(
            source, None, states, weights, cell, num_layers, direction, int(batch_first)
        )
        return (outputs, hidden, cells) if cell == "lstm" else (outputs, hidden)

    return decompose


def _cell(cell: str) -> Callable[..., Any]:
    def decompose(source: Tensor, states: Any, *weights: Tensor | None) -> Any:
        states = [state.unsqueeze(0) for state in (states if isinstance(states, list | tuple) else [states])]
        given = [weight for weight in weights if weight is not None]
        _, hidden, cells = layers(source.unsqueeze(0), None, states, given, cell, 1, "forward", 0)
        return (hidden.squeeze(0), cells.squeeze(0)) if cell == "lstm" else hidden.squeeze(0)

    return decompose


DECOMPOSITIONS: Mapping[Any, Callable[..., Any]] = {
    aten.lstm.input: _sequence("lstm"),
    aten.gru.input: _sequence("gru"),
    aten.rnn_tanh.input: _sequence("rnn_tanh"),
    aten.rnn_relu.input: _sequence("rnn_relu"),
    aten.lstm_cell.default: _cell("lstm"),
    aten.gru_cell.default: _cell("gru"),
    aten.rnn_tanh_cell.default: _cell("rnn_tanh"),
    aten.rnn_relu_cell.default: _cell("rnn_relu"),
}
"""What `run_decompositions` makes of torch's recurrent operations: one call of `crossloom::layers`."""
