"""Refresh: chips that hold a placement are written once more, where their cells are now."""

from crossloom.programming.program import ProgrammedChips, program
from crossloom.programming.strategies import Strategy


def refresh(chips: ProgrammedChips, strategy: Strategy | None = None, settle: float = 1.0) -> ProgrammedChips:
    """The chips after another `program` of what they hold; write-verify touches only cells that have left their
    tolerance. What it took stands in the report of the answer.

    Corrections are dropped: they were found for the cells as they were. Raises what `program` raises.
    """
    return program(chips.placement, chips.backend, strategy, settle)
