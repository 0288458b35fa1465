"""From a trained network to a placement, in one call."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from crossloom.calibration import choose_integration_times
from crossloom.errors import ConfigError, DataError
from crossloom.graph import Dynamic, Graph, OneHotEmbeddings, simplify, trace
from crossloom.mapping import MappingConfig, map_graph
from crossloom.pipeline.learned import learned_layers, learned_times, with_layer_times
from crossloom.placement import Placement, PlacementConfig, place
from crossloom.progress import track
from crossloom.quant import QuantConfig, quantize
from crossloom.spec import SystemSpec

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module

Batches = torch.Tensor | Iterable[torch.Tensor | tuple[torch.Tensor, ...]]


def compile(
    model: "Module | ExportedProgram | Graph | str | Path",
    system: SystemSpec,
    data: Batches,
    *,
    quant: QuantConfig | None = None,
    mapping: MappingConfig | None = None,
    placement: PlacementConfig | None = None,
    dynamic: Dynamic | None = None,
) -> Placement:
    """Trace, simplify, quantise, map and place.

    Layers of an nn.Module that carry what they learned in training with quantisation (an attribute `learned`, a
    `quant.LearnedLayer`) keep their integers, steps and converter ranges.

    Args:
        model: an nn.Module, an ExportedProgram, a Graph, or the path of an ONNX file.
        data: calibration batches; a batch is a tensor, or a tuple for several inputs. One tensor is one batch.
        quant, mapping, placement: choices; what they leave open is taken from the system.
        dynamic: axes of inputs besides the batch whose length is not fixed, and how long they may be:
            `{"tokens": {1: 128}}`, by the name that `forward` gives an input. Costs are told for the greatest length.

    Raises:
        DataError: no data, or of the wrong shape or type, or not finite; weights that are not what was learned.
        GraphError, UnsupportedOperationError: the model does not export; says which operation, and where.
        ConfigError: choices that this hardware cannot do, or that contradict what was learned.
        CapacityError: the system is too small; says how much is missing.
    """
    if not isinstance(system, SystemSpec):
        raise ConfigError(f"need a SystemSpec, got {type(system).__name__}; make one with load_system(name)")
    batches = as_batches(data)
    traced = import_model(model, batches[0], dynamic)
    learned = learned_layers(model, traced)
    tracked = track(batches, "calibrating", len(batches))
    mapping = mapping or MappingConfig()
    graph = OneHotEmbeddings(mapping.one_hot)(simplify(traced))
    quantized = quantize(graph, quant or QuantConfig(), tracked, learned, system.precision)
    mapped = map_graph(quantized, mapping, system.macro)
    times = learned_times(mapped, learned)
    mapped = with_layer_times(mapped, times)
    placed = place(mapped, placement or PlacementConfig(), system)
    tuned = choose_integration_times(mapped, batches, keep=times)
    return placed if tuned is mapped else placed.with_mapped(tuned)


def import_model(
    model: "Module | ExportedProgram | Graph | str | Path",
    example: tuple[torch.Tensor, ...],
    dynamic: Dynamic | None = None,
) -> Graph:
    """The model as a graph, not yet simplified."""
    if isinstance(model, Graph):
        if dynamic:
            raise ConfigError("a Graph keeps its axes as they are; give `dynamic` to trace")
        return model
    if isinstance(model, str | Path):
        from crossloom.graph.onnx import import_onnx

        return import_onnx(model, example, dynamic)
    return trace(model, example, dynamic)


def as_batches(data: Batches) -> Sequence[tuple[torch.Tensor, ...]]:
    """Calibration data as a list of tuples. DataError when there are none, or something is no tensor."""
    if isinstance(data, torch.Tensor):
        data = [data]
    try:
        items = list(data)
    except TypeError:
        raise DataError(f"data: need batches of inputs, got {type(data).__name__}") from None
    if not items:
        raise DataError("calibration data are empty; give at least one batch of inputs")
    return [_as_batch(item) for item in items]


def _as_batch(item: object) -> tuple[torch.Tensor, ...]:
    if isinstance(item, torch.Tensor):
        return (item,)
    if not isinstance(item, tuple | list):
        raise DataError(f"data: a batch is a tensor or a tuple of tensors, got a {type(item).__name__}")
    for part in item:
        if not isinstance(part, torch.Tensor):
            raise DataError(
                f"data: a batch is a tensor or a tuple of tensors, got a {type(part).__name__} in it"
            )
    return tuple(item)
