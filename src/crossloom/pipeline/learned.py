"""What the layers of a module learned in training with quantisation, on its way into `compile`."""

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from crossloom.graph import Graph, Matrix
from crossloom.mapping import MappedGraph, learned_integration_time
from crossloom.pipeline.declared import declared_layers
from crossloom.quant import Learned, LearnedLayer, learned_codes

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def learned_layers(model: object, graph: Graph) -> Learned:
    """What was learned, by the name of the matrix operation: of every layer with an attribute `learned`, and of every
    one that the model itself quantises, as QDQ and QONNX files do.

    model: attributes are found in an nn.Module alone.  graph: as traced from it, before any simplification, so that
    weights are the layers' own.

    Raises DataError, naming the layer, when weights are not integers times the learned step.
    """
    found: dict[str, tuple[LearnedLayer, torch.Tensor]] = dict(declared_layers(graph))
    if not isinstance(model, nn.Module):
        return found
    carriers = _carriers(model)
    for node in graph.matrices if carriers else ():
        weight = graph.tensors[node.weight]
        for path in _layers_of(node):
            if path in carriers and carriers[path][1] == weight.shape:
                learned = carriers[path][0]
                found[node.name] = (learned, learned_codes(node.name, weight, learned))
                break
    return found


def _carriers(model: nn.Module) -> Mapping[str, tuple[LearnedLayer, torch.Size]]:
    """What was learned, and the shape of the weight, by the path of the layer that carries it."""
    carriers: dict[str, tuple[LearnedLayer, torch.Size]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        learned = getattr(module, "learned", None)
        if isinstance(module, _KINDS) and isinstance(learned, LearnedLayer):
            carriers[path] = (learned, module.weight.shape)
    return carriers


def _layers_of(node: Matrix) -> Iterator[str]:
    """The layer that calls a matrix operation, and the one that owns its weight: attention calls others' weights."""
    yield node.layer
    yield node.weight.removesuffix("weight").rstrip(".")


def learned_times(mapped: MappedGraph, learned: Learned) -> Mapping[str, float]:
    """The integration times, by layer, of those that learned one and whose configuration leaves it open."""
    times: dict[str, float] = {}
    for name, (layer, _) in learned.items():
        if name in mapped.schemes and mapped.config.for_layer(name).is_range_left_to_data:
            time = learned_integration_time(layer, mapped.schemes[name], mapped.macro)
            times |= {} if time is None else {name: time}
    return times


def with_layer_times(mapped: MappedGraph, times: Mapping[str, float]) -> MappedGraph:
    """The same tiles, those of these layers at these integration times; shared tiles at that of the first layer."""
    if not times:
        return mapped
    last_first = reversed(list(times.items()))
    numbers = {number: time for layer, time in last_first for number in mapped.tiles_of[layer]}
    return mapped.with_integration_times(numbers)
