"""What a macro does with codes: input expansion, cells, noise, conversion, shift-and-add. Written once."""

from crossloom.circuits.array import EffectiveArray, effective_array
from crossloom.circuits.inputs import Cycles, cycle_weights, expand
from crossloom.circuits.macro import MacroFunction, macro_function
from crossloom.circuits.product import product
from crossloom.circuits.readout import convert, count_codes

__all__ = [
    "Cycles",
    "EffectiveArray",
    "MacroFunction",
    "convert",
    "count_codes",
    "cycle_weights",
    "effective_array",
    "expand",
    "macro_function",
    "product",
]
