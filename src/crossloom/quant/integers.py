"""The integer interpreter: the exact meaning of a quantised graph."""

from collections.abc import Callable

import torch

from crossloom.graph import Matrix, activate, interpret, multiply
from crossloom.quant.layer import QuantizedLayer
from crossloom.quant.quantize import QuantizedGraph

_TOGETHER = 2**22  # weights


def integer_sums(node: Matrix, layer: QuantizedLayer, codes: torch.Tensor) -> torch.Tensor:
    """Sums of products of input codes and weights, exactly, in the layout of the node's output."""
    if codes.device.type == "cpu":
        codes = codes.to(layer.exact_dtype)
        # Sums are exact, so outputs may come in parts: no weight is ever held in floats as a whole.
        number = 1 if node.groups > 1 else -(-layer.weight.numel() // _TOGETHER)
        parts = [multiply(node, codes, part.to(codes), None) for part in layer.weight.chunk(max(number, 1))]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1 if node.window is None else 1)
    # Accelerators may add up in other ways, or in fewer bits; in float64 what that costs rounds away.
    return multiply(node, codes.double(), layer.weight.to(codes.device).double(), None).round_()


def integer_matrix(quantized: QuantizedGraph) -> Callable[[Matrix, torch.Tensor], torch.Tensor]:
    """The matrix operations of the integer interpreter, for `graph.interpret`."""

    def run(node: Matrix, values: torch.Tensor) -> torch.Tensor:
        layer = quantized.layers[node.name]
        sums = integer_sums(node, layer, layer.quantize_input(values))
        return finish(node, layer, sums).to(values.dtype)

    return run


def finish(node: Matrix, layer: QuantizedLayer, sums: torch.Tensor, in_place: bool = False) -> torch.Tensor:
    """What the digital unit does with sums of products: steps, bias, activation; in_place: `sums` may go."""
    return activate(node, layer.dequantize(sums, -1 if node.window is None else 1, in_place))


def interpret_integers(
    quantized: QuantizedGraph, inputs: tuple[torch.Tensor, ...]
) -> tuple[torch.Tensor, ...]:
    """Run a quantised graph digitally."""
    with torch.no_grad():
        return interpret(quantized.graph, inputs, matrix=integer_matrix(quantized))
