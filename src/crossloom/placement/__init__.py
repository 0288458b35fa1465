"""Placement: tiles on the macros of several chips, and the schedule of what they do."""

from crossloom.placement.checking import Violation, check_placement, check_schedule
from crossloom.placement.config import ForbiddenRegion, PlacementConfig
from crossloom.placement.pipelining import (
    SHARED,
    Operation,
    PipelineSchedule,
    PipelineTimes,
    schedule_pipeline,
)
from crossloom.placement.place import Placement, place
from crossloom.placement.replication import Balanced, Times, balance, macro_loads
from crossloom.placement.rewriting import Rewriting, rewriting
from crossloom.placement.schedule import Step, deal, matrix_dependencies
from crossloom.placement.site import Site

__all__ = [
    "SHARED",
    "Balanced",
    "ForbiddenRegion",
    "Operation",
    "PipelineSchedule",
    "PipelineTimes",
    "Placement",
    "PlacementConfig",
    "Rewriting",
    "Site",
    "Step",
    "Times",
    "Violation",
    "balance",
    "check_placement",
    "check_schedule",
    "deal",
    "macro_loads",
    "matrix_dependencies",
    "place",
    "rewriting",
    "schedule_pipeline",
]
