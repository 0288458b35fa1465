"""Which plain layers can be converted, exactly these classes, and what they become."""

from torch import nn

from crossloom.training.attention import AnalogMultiheadAttention
from crossloom.training.layers import ANALOG_OF, AnalogLayer
from crossloom.training.recurrent import (
    AnalogGRU,
    AnalogGRUCell,
    AnalogLSTM,
    AnalogLSTMCell,
    AnalogRNN,
    AnalogRNNCell,
)

AnalogModule = (
    AnalogMultiheadAttention
    | AnalogRNN
    | AnalogLSTM
    | AnalogGRU
    | AnalogRNNCell
    | AnalogLSTMCell
    | AnalogGRUCell
)
"""A layer of several matrices."""

SEVERAL_OF: dict[type[nn.Module], type[AnalogModule]] = {
    nn.RNN: AnalogRNN,
    nn.LSTM: AnalogLSTM,
    nn.GRU: AnalogGRU,
    nn.RNNCell: AnalogRNNCell,
    nn.LSTMCell: AnalogLSTMCell,
    nn.GRUCell: AnalogGRUCell,
    nn.MultiheadAttention: AnalogMultiheadAttention,
}
PLAIN_KINDS: tuple[type[nn.Module], ...] = (*ANALOG_OF, *SEVERAL_OF)
ANALOG_KINDS: tuple[type[nn.Module], ...] = (*ANALOG_OF.values(), *SEVERAL_OF.values())


def is_convertible(module: nn.Module) -> bool:
    """Whether this is one of the plain layers, and no subclass of it, which may compute something else."""
    return type(module) in PLAIN_KINDS


def is_analog(module: nn.Module) -> bool:
    """Whether this is a layer that `convert_to_analog` made, of one matrix or several."""
    return type(module) in ANALOG_KINDS


def weights_of(plain: nn.Module) -> list[str]:
    """The parameters of a plain layer that lie in cells."""
    several = SEVERAL_OF.get(type(plain))
    return ["weight"] if several is None else several.weights_of(plain)  # type: ignore[arg-type]


__all__ = [
    "ANALOG_KINDS",
    "ANALOG_OF",
    "PLAIN_KINDS",
    "SEVERAL_OF",
    "AnalogLayer",
    "AnalogModule",
    "is_analog",
    "is_convertible",
    "weights_of",
]
