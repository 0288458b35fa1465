"""Programming: write-verify and other ways to bring cells to their targets, over the backend line."""

from crossloom.programming.plan import PlannedTile, ProgrammingPlan, plan_programming, region_of
from crossloom.programming.program import ProgrammedChips, ProgrammingReport, TileReport, attach, program
from crossloom.programming.strategies import (
    DirectSet,
    Strategy,
    WriteVerify,
    Written,
    pulse_widths,
    usual_strategy,
)

__all__ = [
    "DirectSet",
    "PlannedTile",
    "ProgrammedChips",
    "ProgrammingPlan",
    "ProgrammingReport",
    "Strategy",
    "TileReport",
    "WriteVerify",
    "Written",
    "attach",
    "plan_programming",
    "program",
    "pulse_widths",
    "region_of",
    "usual_strategy",
]
