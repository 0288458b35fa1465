"""The whole way in single calls: compile, simulate, and the waterfall of accuracy."""

from crossloom.pipeline.compile import as_batches, compile, import_model, resolve_quant
from crossloom.pipeline.simulate import simulate
from crossloom.pipeline.waterfall import Station, Waterfall, waterfall

__all__ = [
    "Station",
    "Waterfall",
    "as_batches",
    "compile",
    "import_model",
    "resolve_quant",
    "simulate",
    "waterfall",
]
