"""Quantisation: a graph becomes integer, with an exact meaning."""

from crossloom.quant.bias_correction import correct_biases
from crossloom.quant.config import LayerQuantConfig, QuantConfig, resolve_quant
from crossloom.quant.equalisation import equalize
from crossloom.quant.integers import finish, integer_matrix, integer_sums, interpret_integers
from crossloom.quant.layer import QuantizedLayer, code_range
from crossloom.quant.learned import Learned, LearnedLayer, learned_codes
from crossloom.quant.quantize import QuantizedGraph, quantize
from crossloom.quant.ranges import find_steps

__all__ = [
    "LayerQuantConfig",
    "Learned",
    "LearnedLayer",
    "QuantConfig",
    "QuantizedGraph",
    "QuantizedLayer",
    "code_range",
    "correct_biases",
    "equalize",
    "find_steps",
    "finish",
    "integer_matrix",
    "integer_sums",
    "interpret_integers",
    "learned_codes",
    "quantize",
    "resolve_quant",
]
