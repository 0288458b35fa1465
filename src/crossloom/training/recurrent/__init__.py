"""Recurrent layers on macros: products in cells, gates and states digital."""

from crossloom.training.recurrent.cells import AnalogGRUCell, AnalogLSTMCell, AnalogRNNCell
from crossloom.training.recurrent.layers import AnalogGRU, AnalogLSTM, AnalogRNN

__all__ = ["AnalogGRU", "AnalogGRUCell", "AnalogLSTM", "AnalogLSTMCell", "AnalogRNN", "AnalogRNNCell"]
