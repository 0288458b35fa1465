"""Checking: whether a placement and a pipelined schedule are legal. Shares no code with what makes them."""

from crossloom.placement.checking.placements import check_placement
from crossloom.placement.checking.schedules import check_schedule
from crossloom.placement.checking.violation import Violation

__all__ = ["Violation", "check_placement", "check_schedule"]
