"""Cost: energy, time and area of a placement before it runs, and of a run that was."""

from crossloom.cost.account import account
from crossloom.cost.adc import PublishedCosts, SteppedCosts, WaldenCosts, thermal_limit
from crossloom.cost.amount import Amount
from crossloom.cost.estimate import Table, estimate
from crossloom.cost.loading import list_tables, load_table
from crossloom.cost.peak import peak
from crossloom.cost.report import (
    COMPONENTS,
    AreaCost,
    CostReport,
    PartCost,
    Peak,
    ProgrammingCost,
    Span,
)
from crossloom.cost.scheduling import schedule, stage_times
from crossloom.cost.table import CellCosts, ComponentTable, PartSpec, TimingSpec

__all__ = [
    "COMPONENTS",
    "Amount",
    "AreaCost",
    "CellCosts",
    "ComponentTable",
    "CostReport",
    "PartCost",
    "PartSpec",
    "Peak",
    "ProgrammingCost",
    "PublishedCosts",
    "Span",
    "SteppedCosts",
    "Table",
    "TimingSpec",
    "WaldenCosts",
    "account",
    "estimate",
    "list_tables",
    "load_table",
    "peak",
    "schedule",
    "stage_times",
    "thermal_limit",
]
