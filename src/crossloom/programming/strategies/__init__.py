"""How cells are brought to their targets: by pulses that are verified, against outputs, or by the chip itself."""

from crossloom.programming.strategies.direct import DirectSet
from crossloom.programming.strategies.gradient import GradientProgramming
from crossloom.programming.strategies.incremental import IncrementalStep
from crossloom.programming.strategies.strategy import Block, Strategy, WritesTogether, Written
from crossloom.programming.strategies.twice import ProgramTwice
from crossloom.programming.strategies.usual import usual_strategy
from crossloom.programming.strategies.verifying import pulse_widths
from crossloom.programming.strategies.vipi import Vipi
from crossloom.programming.strategies.write_verify import WriteVerify

__all__ = [
    "Block",
    "DirectSet",
    "GradientProgramming",
    "IncrementalStep",
    "ProgramTwice",
    "Strategy",
    "Vipi",
    "WriteVerify",
    "WritesTogether",
    "Written",
    "pulse_widths",
    "usual_strategy",
]
