"""Chip in the loop: programmed chips compute the forward pass, the model of what was read back the gradient."""

from crossloom.training.in_the_loop.config import (
    DigitalOnly,
    InTheLoopConfig,
    LastLayer,
    LayerByLayerConfig,
    NamedLayers,
    WholeNetwork,
)
from crossloom.training.in_the_loop.layer_by_layer import program_in_the_loop
from crossloom.training.in_the_loop.result import InTheLoopPoint, InTheLoopResult
from crossloom.training.in_the_loop.rewriting import (
    PlannedRewriting,
    RewritingPlan,
    Rewritten,
    plan_rewriting,
    rewrite,
)
from crossloom.training.in_the_loop.tune import tune_in_the_loop

__all__ = [
    "DigitalOnly",
    "InTheLoopConfig",
    "InTheLoopPoint",
    "InTheLoopResult",
    "LastLayer",
    "LayerByLayerConfig",
    "NamedLayers",
    "PlannedRewriting",
    "RewritingPlan",
    "Rewritten",
    "WholeNetwork",
    "plan_rewriting",
    "program_in_the_loop",
    "rewrite",
    "tune_in_the_loop",
]
