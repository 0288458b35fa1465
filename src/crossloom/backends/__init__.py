"""Backends: chips in memory, recorded sessions, and a stand-in for tests."""

from crossloom.backends.macro_state import MacroState
from crossloom.backends.simulated import SimulatedBackend, SimulatedChips

__all__ = ["MacroState", "SimulatedBackend", "SimulatedChips"]
