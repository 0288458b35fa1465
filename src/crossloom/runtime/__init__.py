"""Runtime: the schedule runs on backends, batch by batch, with every action counted."""

from crossloom.runtime.counts import ActionCounts, total
from crossloom.runtime.layer import LayerOnChips, TilePart
from crossloom.runtime.probe import LayerProbe, LayerQuality
from crossloom.runtime.run import Batch, Hook, Mode, RunResult, run
from crossloom.runtime.samples import sample_layouts

__all__ = [
    "ActionCounts",
    "Batch",
    "Hook",
    "LayerOnChips",
    "LayerProbe",
    "LayerQuality",
    "Mode",
    "RunResult",
    "TilePart",
    "run",
    "sample_layouts",
    "total",
]
