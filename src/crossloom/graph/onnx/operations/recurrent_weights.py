"""Weights of ONNX's recurrent layers in torch's form: one matrix for each direction, gates in torch's order."""

from collections.abc import Iterator, Mapping

import torch

from crossloom.graph.onnx.operations.recurrent import WEIGHTS, cell_of
from crossloom.graph.onnx.preparing import Prepared, Weight, preparation
from crossloom.graph.onnx.steps import Constants, OnnxNode

_ORDERS: Mapping[str, tuple[int, ...]] = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Where torch's gates (input, forget, new, output; reset, update, new) are in ONNX's (iofc; zrh)."""


def prepare_recurrent(node: OnnxNode, constants: Constants, origins: Mapping[str, str]) -> Prepared | None:
    """W [direction, gate * hidden, in], R and B [direction, 2 * gate * hidden] as torch's weights and biases."""
    inputs = (*node.inputs, *[""] * (8 - len(node.inputs)))
    weights = tuple(_weights(node.operation, inputs[1:4], constants))
    attributes = {**node.attributes, "cell": cell_of(node)}
    return Prepared(node.operation, (inputs[0], *inputs[4:7], *weights), attributes)


def _weights(operation: str, names: tuple[str, ...], constants: Constants) -> Iterator[Weight]:
    for direction in range(len(constants[names[0]])):
        for number, name in enumerate((names[0], names[1], names[2], names[2])):
            if name:
                tensor = constants[name][direction]
                tensor = tensor.chunk(2)[number - 2] if number > 1 else tensor
                form = f"{WEIGHTS[number]} of direction {direction}"
                yield Weight(name, _in_order(tensor, _ORDERS[operation]), form)


def _in_order(tensor: torch.Tensor, order: tuple[int, ...]) -> torch.Tensor:
    gates = tensor.chunk(len(order))
    return torch.cat([gates[place] for place in order])


for _operation in _ORDERS:
    preparation(_operation)(prepare_recurrent)
