"""What a macro does with codes: input expansion, cells, noise, conversion, shift-and-add. Written once."""

from crossloom.circuits.array import EffectiveArray, WiredNoise, effective_array, side_by_side
from crossloom.circuits.converters import Converters, draw_converters, transitions_of
from crossloom.circuits.crossbar import Crossbar
from crossloom.circuits.curved_macro import CurvedMacroFunction
from crossloom.circuits.curves import Curve, in_series, make_curve
from crossloom.circuits.drivers import Drivers, draw_drivers, make_drivers, wiring_of_rows
from crossloom.circuits.gradients import multiply
from crossloom.circuits.inputs import Cycles, cycle_weights, expand
from crossloom.circuits.linearity import (
    differential_nonlinearity,
    effective_bits,
    integral_nonlinearity,
    ramp_test,
    sine_test,
)
from crossloom.circuits.macro import MacroFunction, add_up, macro_function
from crossloom.circuits.product import product
from crossloom.circuits.readout import convert, count_codes
from crossloom.circuits.region import CellNoise, RegionCells, is_linear, series_resistance
from crossloom.circuits.staircase import Staircase, make_staircase
from crossloom.circuits.straight_through import TrainedProduct
from crossloom.circuits.transitions import ideal_transitions, ramp_transitions, sar_transitions
from crossloom.circuits.wires import approximate_conductance, effective_conductance

__all__ = [
    "CellNoise",
    "Converters",
    "Crossbar",
    "Curve",
    "CurvedMacroFunction",
    "Cycles",
    "Drivers",
    "EffectiveArray",
    "MacroFunction",
    "RegionCells",
    "Staircase",
    "TrainedProduct",
    "WiredNoise",
    "add_up",
    "approximate_conductance",
    "convert",
    "count_codes",
    "cycle_weights",
    "differential_nonlinearity",
    "draw_converters",
    "draw_drivers",
    "effective_array",
    "effective_bits",
    "effective_conductance",
    "expand",
    "ideal_transitions",
    "in_series",
    "integral_nonlinearity",
    "is_linear",
    "macro_function",
    "make_curve",
    "make_drivers",
    "make_staircase",
    "multiply",
    "product",
    "ramp_test",
    "ramp_transitions",
    "sar_transitions",
    "series_resistance",
    "side_by_side",
    "sine_test",
    "transitions_of",
    "wiring_of_rows",
]
