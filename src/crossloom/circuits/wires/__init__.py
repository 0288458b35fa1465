"""Crossbars with resistive wires: exact, by elimination of inner nodes, and approximate."""

from crossloom.circuits.wires.approximate import approximate_conductance
from crossloom.circuits.wires.bias import FLOATING, GROUNDED, HALF, THIRD, Bias, Unselected, select
from crossloom.circuits.wires.effective import effective_conductance, transfer
from crossloom.circuits.wires.elimination import CellStates, Elimination, eliminate
from crossloom.circuits.wires.gradients import differentiable_currents
from crossloom.circuits.wires.newton import Solution, solve
from crossloom.circuits.wires.segments import Segments, segments
from crossloom.circuits.wires.sensitivity import Reach, reach

__all__ = [
    "FLOATING",
    "GROUNDED",
    "HALF",
    "THIRD",
    "Bias",
    "CellStates",
    "Elimination",
    "Reach",
    "Segments",
    "Solution",
    "Unselected",
    "approximate_conductance",
    "differentiable_currents",
    "effective_conductance",
    "eliminate",
    "reach",
    "segments",
    "select",
    "solve",
    "transfer",
]
