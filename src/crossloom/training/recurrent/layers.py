"""Recurrent layers that compute as macros do, with the parameters of the plain layers that they stand for."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from crossloom.training.making import MakeMatrix, adopt
from crossloom.training.plan import LayerShape
from crossloom.training.recurrent.gates import GATES, State
from crossloom.training.recurrent.sequences import Sequences, lay_out
from crossloom.training.recurrent.steps import Operation, Recurrence
from crossloom.training.uncompiled import uncompiled

_OPTIONS = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")


class _AnalogSequence(nn.Module):
    """What recurrent layers share: of every layer and direction, one matrix for the input and one for the state.

    Gates lie side by side as outputs. All time steps of the input are one batch; the state goes step by step, through
    cells that are drawn once per pass, and is kept digitally. The first batch sets the steps of the state's matrix by a
    rehearsal with exact products, since states begin with zeros. What converters draw, they draw at every step.
    """

    plain_class: type[nn.RNNBase]
    input_size: int
    hidden_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool

    def __init__(self, plain: Any, make: MakeMatrix) -> None:
        super().__init__()
        self.mode, self.proj_size = plain.mode, plain.proj_size
        for option in _OPTIONS:
            setattr(self, option, getattr(plain, option))
        adopt(self, plain)
        for weight in self.weights_of(plain):
            tensor = getattr(self, weight)
            is_state = (
                weight.startswith("weight_h") and plain.mode != "RNN_RELU"
            )  # what tanh gives has both signs
            shape = LayerShape(tensor.shape[1], tensor.shape[0])
            self.add_module(_matrix(weight), make(weight, shape, tensor, True if is_state else None))

    @staticmethod
    def weights_of(plain: Any) -> list[str]:
        """The parameters that lie in cells."""
        return [name for name in plain._flat_weights_names if name.startswith("weight")]

    @uncompiled
    def forward(self, input: torch.Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        """What the plain layer gives for sequences in any of its forms: outputs, and last states.

        Raises DataError for sequences and states of other shapes.
        """
        given = lay_out(self._name, input, self.input_size, self.batch_first)
        num_states = self.num_layers * self._num_directions
        hidden = self.proj_size or self.hidden_size
        sizes = (hidden, self.hidden_size) if self.mode == "LSTM" else (hidden,)
        start = given.start(self._name, hx, sizes, num_states)
        vectors, ends = given.vectors, []
        for layer in range(self.num_layers):
            if layer:
                vectors = functional.dropout(vectors, self.dropout, self.training)
            vectors, met = self._layer(layer, vectors, given, start)
            ends += met
        end = given.end(tuple(torch.stack(parts) for parts in zip(*ends, strict=True)))
        return given.with_outputs(vectors), end if self.mode == "LSTM" else end[0]

    def to_plain(self) -> nn.Module:
        """The plain layer with what the cells stand for: integers times steps."""
        options = {option: getattr(self, option) for option in _OPTIONS}
        if self.mode == "LSTM":
            options["proj_size"] = self.proj_size
        if self.plain_class is nn.RNN:
            options["nonlinearity"] = self.mode.removeprefix("RNN_").lower()
        some = self.weight_ih_l0
        plain = self.plain_class(**options, device=some.device, dtype=some.dtype)
        state: dict[str, torch.Tensor] = dict(self.named_parameters(recurse=False))
        for name in self.weights_of(plain):
            state[name] = getattr(self, _matrix(name)).stood_for(state[name])
        plain.load_state_dict(state)
        return plain

    def flatten_parameters(self) -> None:
        """Nothing: plain layers do it for cuDNN, and models call it."""

    def extra_repr(self) -> str:
        return ", ".join(f"{option}={getattr(self, option)}" for option in _OPTIONS)

    @property
    def _name(self) -> str:
        return self.plain_class.__name__

    @property
    def _num_directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _layer(
        self, layer: int, vectors: torch.Tensor, given: Sequences, start: State
    ) -> tuple[torch.Tensor, list[State]]:
        """Outputs of both directions side by side, and their last states."""
        outputs, ends = [], []
        for direction in range(self._num_directions):
            part = f"l{layer}{'_reverse' if direction else ''}"
            number = layer * self._num_directions + direction
            products = self._operation(f"ih_{part}")(vectors).split(list(given.sizes))
            project = self._operation(f"hr_{part}") if self.proj_size else None
            recurrence = Recurrence(GATES[self.mode], self._operation(f"hh_{part}"), project)
            begun = tuple(states[number].to(vectors.dtype) for states in start)
            output, end = recurrence(products, begun, bool(direction))
            outputs.append(output)
            ends.append(end)
        return torch.cat(outputs, 1), ends

    def _operation(self, part: str) -> Operation:
        bias = getattr(self, f"bias_{part}") if self.bias and not part.startswith("hr") else None
        return Operation(getattr(self, f"matrix_{part}"), getattr(self, f"weight_{part}"), bias)


def _matrix(weight: str) -> str:
    return weight.replace("weight", "matrix", 1)


class AnalogRNN(_AnalogSequence):
    """A `torch.nn.RNN` on macros."""

    plain_class = nn.RNN


class AnalogLSTM(_AnalogSequence):
    """A `torch.nn.LSTM` on macros; with `proj_size`, the projection is a matrix too."""

    plain_class = nn.LSTM


class AnalogGRU(_AnalogSequence):
    """A `torch.nn.GRU` on macros."""

    plain_class = nn.GRU
