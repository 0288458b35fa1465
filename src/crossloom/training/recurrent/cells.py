"""Recurrent cells, one step per call, that compute as macros do."""

from typing import Any

import torch
from torch import nn

from crossloom.errors import DataError
from crossloom.training.making import MakeMatrix, adopt
from crossloom.training.plan import LayerShape
from crossloom.training.recurrent.gates import GATES
from crossloom.training.recurrent.steps import Operation, Recurrence
from crossloom.training.uncompiled import uncompiled

_WEIGHTS = ("weight_ih", "weight_hh")


class _AnalogCell(nn.Module):
    """What recurrent cells share: one matrix for the input, one for the state; every call draws its cells anew.

    The first call sets the steps, those of the state's matrix by the state before and after it.
    """

    plain_class: type[nn.RNNCellBase]
    weight_ih: torch.Tensor
    weight_hh: torch.Tensor

    def __init__(self, plain: Any, make: MakeMatrix) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = plain.input_size, plain.hidden_size, plain.bias
        self.mode = _mode(plain)
        adopt(self, plain)
        shapes = [LayerShape(tensor.shape[1], tensor.shape[0]) for tensor in (self.weight_ih, self.weight_hh)]
        has_both_signs = None if self.mode == "RNN_RELU" else True
        self.matrix_ih = make("weight_ih", shapes[0], self.weight_ih, None)
        self.matrix_hh = make("weight_hh", shapes[1], self.weight_hh, has_both_signs)

    @staticmethod
    def weights_of(plain: Any) -> list[str]:
        """The parameters that lie in cells."""
        return list(_WEIGHTS)

    @uncompiled
    def forward(self, input: torch.Tensor, hx: Any = None) -> Any:
        """The next state: hidden [sequence, hidden] or [hidden]; of an LSTM, (hidden, cell).

        Raises DataError for inputs and states of other shapes.
        """
        is_batched = input.dim() == 2
        values = input if is_batched else input.unsqueeze(0)
        num_parts = 2 if self.mode == "LSTM" else 1
        shape = (len(values), self.hidden_size)
        state = (values.new_zeros(shape),) * num_parts if hx is None else hx
        state = tuple(state) if isinstance(state, tuple | list) else (state,)
        state = state if is_batched else tuple(part.view(1, -1) for part in state)
        if (
            values.dim() != 2
            or values.shape[1] != self.input_size
            or any(part.shape != shape for part in state)
        ):
            got = ", ".join(str(list(part.shape)) for part in (input, *state))
            raise DataError(
                f"{self.plain_class.__name__}: need inputs [..., {self.input_size}] and {num_parts} states "
                f"[..., {self.hidden_size}], got {got}"
            )
        _, end = self._recurrence()((self._operation("ih")(values),), state)
        end = end if is_batched else tuple(part.squeeze(0) for part in end)
        return end if self.mode == "LSTM" else end[0]

    def to_plain(self) -> nn.Module:
        """The plain cell with what the cells stand for: integers times steps."""
        options: dict[str, Any] = {"device": self.weight_ih.device, "dtype": self.weight_ih.dtype}
        if self.plain_class is nn.RNNCell:
            options["nonlinearity"] = self.mode.removeprefix("RNN_").lower()
        plain = self.plain_class(self.input_size, self.hidden_size, bias=self.bias, **options)
        state: dict[str, torch.Tensor] = dict(self.named_parameters(recurse=False))
        state["weight_ih"] = self.matrix_ih.stood_for(self.weight_ih)
        state["weight_hh"] = self.matrix_hh.stood_for(self.weight_hh)
        plain.load_state_dict(state)
        return plain

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, bias={self.bias}"

    def _recurrence(self) -> Recurrence:
        return Recurrence(GATES[self.mode], self._operation("hh"))

    def _operation(self, part: str) -> Operation:
        bias = getattr(self, f"bias_{part}") if self.bias else None
        return Operation(getattr(self, f"matrix_{part}"), getattr(self, f"weight_{part}"), bias)


def _mode(plain: nn.RNNCellBase) -> str:
    if isinstance(plain, nn.RNNCell):
        return f"RNN_{plain.nonlinearity.upper()}"
    return "LSTM" if isinstance(plain, nn.LSTMCell) else "GRU"


class AnalogRNNCell(_AnalogCell):
    """A `torch.nn.RNNCell` on macros."""

    plain_class = nn.RNNCell


class AnalogLSTMCell(_AnalogCell):
    """A `torch.nn.LSTMCell` on macros."""

    plain_class = nn.LSTMCell


class AnalogGRUCell(_AnalogCell):
    """A `torch.nn.GRUCell` on macros."""

    plain_class = nn.GRUCell
