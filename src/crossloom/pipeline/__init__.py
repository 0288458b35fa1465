"""The whole way in single calls: compile, simulate, maintain, and the waterfall of accuracy."""

from crossloom.pipeline.compile import Batches, as_batches, compile, import_model
from crossloom.pipeline.learned import learned_layers, learned_times
from crossloom.pipeline.maintain import MaintenanceReport, RefreshConfig, Visit, maintain
from crossloom.pipeline.replicate import replicate
from crossloom.pipeline.simulate import simulate
from crossloom.pipeline.waterfall import Station, Waterfall, waterfall
from crossloom.quant import resolve_quant

__all__ = [
    "Batches",
    "MaintenanceReport",
    "RefreshConfig",
    "Station",
    "Visit",
    "Waterfall",
    "as_batches",
    "compile",
    "import_model",
    "learned_layers",
    "learned_times",
    "maintain",
    "replicate",
    "resolve_quant",
    "simulate",
    "waterfall",
]
