"""The line between algorithms and chips: `pulse`, `read`, `mvm` on a macro, and what they carry."""

from crossloom.hardware.abilities import AskMany, copied, quieted, restored, stored, together
from crossloom.hardware.backend import (
    Backend,
    Copyable,
    Divisible,
    ManyMvms,
    OnChipSet,
    Quietable,
    Storable,
    Timed,
    backends,
)
from crossloom.hardware.codes import Codes, DenseCodes, WindowedCodes
from crossloom.hardware.commands import CodeCounts, Draw, InputFormat, MvmCommand, Reading, Region, Wiring

__all__ = [
    "AskMany",
    "Backend",
    "CodeCounts",
    "Codes",
    "Copyable",
    "DenseCodes",
    "Divisible",
    "Draw",
    "InputFormat",
    "ManyMvms",
    "MvmCommand",
    "OnChipSet",
    "Quietable",
    "Reading",
    "Region",
    "Storable",
    "Timed",
    "WindowedCodes",
    "Wiring",
    "backends",
    "copied",
    "quieted",
    "restored",
    "stored",
    "together",
]
