"""Recurrent layers: captured whole, lowered to matrices, and run step by step."""

from crossloom.graph.recurrent.builder import Builder
from crossloom.graph.recurrent.cells import CELLS, Cell, Product, State
from crossloom.graph.recurrent.lowering import check_unpacked, is_recurrent, lower_recurrent
from crossloom.graph.recurrent.modules import DECOMPOSITIONS, capturing_recurrence
from crossloom.graph.recurrent.operations import OPERATIONS, layers
from crossloom.graph.recurrent.running import Recur, at_once, run_recurrence, run_steps

__all__ = [
    "CELLS",
    "DECOMPOSITIONS",
    "OPERATIONS",
    "Builder",
    "Cell",
    "Product",
    "Recur",
    "State",
    "at_once",
    "capturing_recurrence",
    "check_unpacked",
    "is_recurrent",
    "layers",
    "lower_recurrent",
    "run_recurrence",
    "run_steps",
]
