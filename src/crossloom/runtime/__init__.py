"""Runtime: the schedule runs on backends, batch by batch, with every action counted."""

from crossloom.runtime.activity import ActivityMeter, LayerActivity
from crossloom.runtime.counts import ActionCounts, count_layer, input_format, total
from crossloom.runtime.draws import Draws
from crossloom.runtime.layer import LayerOnChips, TilePart, sweep
from crossloom.runtime.probe import LayerProbe, LayerQuality
from crossloom.runtime.run import Batch, Hook, Mode, RunResult, run
from crossloom.runtime.samples import SampleLayout, SampleOrder, sample_layouts

__all__ = [
    "ActionCounts",
    "ActivityMeter",
    "Batch",
    "Draws",
    "Hook",
    "LayerActivity",
    "LayerOnChips",
    "LayerProbe",
    "LayerQuality",
    "Mode",
    "RunResult",
    "SampleLayout",
    "SampleOrder",
    "TilePart",
    "count_layer",
    "input_format",
    "run",
    "sample_layouts",
    "sweep",
    "total",
]
