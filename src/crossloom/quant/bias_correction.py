"""The mean error that quantisation adds to every output, taken off its bias."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch

from crossloom.graph import Graph, Matrix, activate, interpret, multiply
from crossloom.quant.layer import QuantizedLayer


def correct_biases(
    graph: Graph, layers: Mapping[str, QuantizedLayer], batches: Iterable[tuple[torch.Tensor, ...]]
) -> dict[str, QuantizedLayer]:
    """Layers whose outputs have, on these batches, the mean that they have in floating point.

    For every layer the inputs are those of the float graph, so that errors of earlier layers are corrected where they
    arise. It covers rounding and clipping of weights and inputs alike (Nagel et al. 2019, "Data-Free Quantization
    Through Weight Equalization and Bias Correction", section 4.2, with data in the place of batch norms' statistics).
    """
    sums = {name: torch.zeros(len(layer.weight), dtype=torch.float64) for name, layer in layers.items()}
    counts = dict.fromkeys(layers, 0)

    def watch(node: Matrix, values: torch.Tensor) -> torch.Tensor:
        layer, axis = layers[node.name], -1 if node.window is None else 1
        weight = graph.tensors[node.weight].detach().to(values)
        bias = None if node.bias is None else graph.tensors[node.bias].detach().to(values)
        wanted = multiply(node, values, weight, bias)
        codes = layer.quantize_input(values)
        given = layer.dequantize(multiply(node, codes, layer.weight.to(codes), None), axis)
        error = (given - wanted).double().movedim(axis, -1).flatten(0, -2)
        sums[node.name] += error.sum(0).cpu()
        counts[node.name] += len(error)
        return activate(node, wanted)

    with torch.no_grad():
        for batch in batches:
            interpret(graph, batch, matrix=watch)
    return {
        name: replace(layer, bias=_corrected(layer, sums[name] / max(counts[name], 1)))
        for name, layer in layers.items()
    }


def _corrected(layer: QuantizedLayer, shift: torch.Tensor) -> torch.Tensor:
    bias = torch.zeros(len(shift)) if layer.bias is None else layer.bias
    return bias - shift.to(bias)
