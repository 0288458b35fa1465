"""Backends: chips in memory, recorded sessions, and a stand-in for tests."""

from crossloom.backends.macro_state import MacroState
from crossloom.backends.mock import MockBackend
from crossloom.backends.recorded import Exchange, RecordedBackend, Recording, RecordingBackend
from crossloom.backends.simulated import SimulatedBackend, SimulatedChips

__all__ = [
    "Exchange",
    "MacroState",
    "MockBackend",
    "RecordedBackend",
    "Recording",
    "RecordingBackend",
    "SimulatedBackend",
    "SimulatedChips",
]
