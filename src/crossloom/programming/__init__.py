"""Programming: write-verify and other ways to bring cells to their targets, over the backend line."""

from crossloom.programming.advance import advance
from crossloom.programming.corrections import (
    Corrected,
    Corrections,
    LayerCorrection,
    TileCorrection,
)
from crossloom.programming.plan import PlannedTile, ProgrammingPlan, plan_programming, region_of
from crossloom.programming.program import ProgrammedChips, attach, program
from crossloom.programming.refresh import refresh
from crossloom.programming.report import ProgrammingReport, TileReport
from crossloom.programming.rounds import Rewritten, RoundsBackend, check_lasting
from crossloom.programming.strategies import (
    Block,
    DirectSet,
    GradientProgramming,
    IncrementalStep,
    ProgramTwice,
    Strategy,
    Vipi,
    WritesTogether,
    WriteVerify,
    Written,
    pulse_widths,
    usual_strategy,
)
from crossloom.programming.streaming import VALUES_SHARE, StreamedBackend

__all__ = [
    "VALUES_SHARE",
    "Block",
    "Corrected",
    "Corrections",
    "DirectSet",
    "GradientProgramming",
    "IncrementalStep",
    "LayerCorrection",
    "PlannedTile",
    "ProgramTwice",
    "ProgrammedChips",
    "ProgrammingPlan",
    "ProgrammingReport",
    "Rewritten",
    "RoundsBackend",
    "Strategy",
    "StreamedBackend",
    "TileCorrection",
    "TileReport",
    "Vipi",
    "WriteVerify",
    "WritesTogether",
    "Written",
    "advance",
    "attach",
    "check_lasting",
    "plan_programming",
    "program",
    "pulse_widths",
    "refresh",
    "region_of",
    "usual_strategy",
]
