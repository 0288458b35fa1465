"""What a model's own quantisers say of its layers (QDQ and QONNX files), on its way into `compile`."""

from collections.abc import Mapping

import torch

from crossloom.errors import DataError
from crossloom.graph import FROM_CODES, Digital, Graph, Matrix, Node, NodeRef
from crossloom.quant import Learned, LearnedLayer, learned_codes

_MOVES = "clone contiguous expand flatten permute reshape slice squeeze transpose unflatten unsqueeze view"
_PICKS = "constant_pad_nd max_pool1d max_pool2d max_pool3d relu"
_KEEPS_CODES = frozenset(f"{_MOVES} {_PICKS}".split())
"""Operations whose values are among those that come in, or zero."""


def declared_layers(graph: Graph) -> Learned:
    """By the name of the matrix operation, where the model quantises both the weight and the input.

    Layers whose input is not quantised, or in several steps, or whose weight is no whole number of steps (since it was
    rearranged across the axis of its steps), are left to calibration.
    """
    nodes = {node.name: node for node in graph.nodes}
    found: dict[str, tuple[LearnedLayer, torch.Tensor]] = {}
    for node in graph.matrices:
        learned = _learned(graph, nodes, node)
        if learned is None:
            continue
        try:
            found[node.name] = learned, learned_codes(node.name, graph.tensors[node.weight], learned)
        except DataError:
            continue
    return found


def _learned(graph: Graph, nodes: Mapping[str, Node], node: Matrix) -> LearnedLayer | None:
    quantiser = _quantiser(nodes, node.source)
    if node.codes is None or quantiser is None:
        return None
    step, zero = (graph.tensors[operand.name].double().flatten() for operand in quantiser.args[1:3])
    weight, weight_step = graph.tensors[node.weight], graph.tensors[node.codes.step].double().flatten()
    if step.numel() != 1 or zero.numel() != 1 or weight_step.numel() not in (1, len(weight)):
        return None
    shape = (-1, *[1] * (weight.dim() - 1))
    largest = int((weight.double() / weight_step.view(shape)).abs().max().round())
    bits, is_signed = _format(*(int(end - zero.item()) for end in quantiser.args[3:5]))
    return LearnedLayer(
        weight_step=weight_step if weight_step.numel() > 1 else weight_step[0],
        weight_bits=max(max(largest, node.codes.highest).bit_length() + 1, 2),
        input_step=step.item(),
        input_bits=bits,
        input_is_signed=is_signed,
    )


def _quantiser(nodes: Mapping[str, Node], name: str) -> Digital | None:
    """The quantiser that a value comes from, through operations that make no new values."""
    node = nodes.get(name)
    while isinstance(node, Digital) and node.operation != FROM_CODES:
        operation = node.operation.split(".")[1] if node.operation.startswith("aten.") else ""
        source = node.args[0] if operation in _KEEPS_CODES and node.args else None
        node = nodes.get(source.name) if isinstance(source, NodeRef) else None
    return node if isinstance(node, Digital) else None


def _format(low: int, high: int) -> tuple[int, bool]:
    """Bits and sign of codes from `low` to `high`, less zero; of -128 to 127 the lowest is cut off, which symmetric
    codes do not have."""
    if low >= 0:
        return max(high.bit_length(), 2), False
    top = high if low == -high - 1 else max(-low, high)
    return max(top.bit_length() + 1, 2), True
