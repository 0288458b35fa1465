"""Quantisation: a graph becomes integer, with an exact meaning."""

from crossloom.quant.config import QuantConfig, resolve_quant
from crossloom.quant.integers import finish, integer_matrix, integer_sums, interpret_integers
from crossloom.quant.layer import QuantizedLayer, code_range
from crossloom.quant.learned import Learned, LearnedLayer, learned_codes
from crossloom.quant.quantize import QuantizedGraph, quantize
from crossloom.quant.ranges import find_steps

__all__ = [
    "Learned",
    "LearnedLayer",
    "QuantConfig",
    "QuantizedGraph",
    "QuantizedLayer",
    "code_range",
    "find_steps",
    "finish",
    "integer_matrix",
    "integer_sums",
    "interpret_integers",
    "learned_codes",
    "quantize",
    "resolve_quant",
]
