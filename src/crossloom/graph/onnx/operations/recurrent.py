"""Recurrent layers: LSTM, GRU and RNN, of one layer in one or both directions."""

from collections.abc import Mapping

import torch

from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step
from crossloom.graph.recurrent import layers

DIRECTIONS: Mapping[str, str] = {"forward": "forward", "reverse": "reverse", "bidirectional": "both"}
"""What ONNX calls directions, and what `crossloom::layers` does."""
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_ROLES = tuple(f"{weight}_l0{suffix}" for suffix in ("", "_reverse") for weight in WEIGHTS)
_ACTIVATIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh")}
_CELLS = {("Tanh",): "rnn_tanh", ("Relu",): "rnn_relu"}


@operation("LSTM", "GRU", "RNN", num_outputs=None, roles=("", "", "", "", *_ROLES))
def recurrent(
    step: Step,
    x: torch.Tensor,
    lengths: torch.Tensor | None,
    hidden: torch.Tensor | None,
    cell: torch.Tensor | None,
    *weights: torch.Tensor,
) -> tuple[torch.Tensor, ...]:
    """Outputs [time, direction, batch, hidden], or [batch, time, direction, hidden] with layout 1, and last states."""
    layout, direction = step.attribute("layout", 0), DIRECTIONS[step.attribute("direction", "forward")]
    num_directions = 2 if direction == "both" else 1
    states = _states(step.attribute("cell"), hidden, cell, layout)
    outputs, *ends = layers(x, lengths, states, list(weights), step.attribute("cell"), 1, direction, layout)
    outputs = outputs.unflatten(-1, (num_directions, -1))
    outputs = outputs if layout else outputs.transpose(1, 2)
    return outputs, *(end.transpose(0, 1) if layout and end.dim() == 3 else end for end in ends)


def _states(
    cell: str, hidden: torch.Tensor | None, cells: torch.Tensor | None, layout: int
) -> list[torch.Tensor]:
    """First states [direction, batch, hidden]; none for zeros."""
    given = [part for part in (hidden, cells) if part is not None]
    if not given:
        return []
    if cell == "lstm":
        given = [torch.zeros_like(given[0]) if part is None else part for part in (hidden, cells)]
    return [part.transpose(0, 1) if layout else part for part in given]


def cell_of(node: OnnxNode) -> str | None:
    """What `crossloom::layers` calls the cell, or None where it has no such activations."""
    num_directions = 2 if node.attributes.get("direction") == "bidirectional" else 1
    given = tuple(node.attributes.get("activations", ()))
    if node.operation == "RNN":
        kinds = {given[number : number + 1] or ("Tanh",) for number in range(num_directions)}
        return _CELLS.get(kinds.pop()) if len(kinds) == 1 else None
    if given and given != _ACTIVATIONS[node.operation] * num_directions:
        return None
    if node.operation == "LSTM":
        return "lstm"
    return "gru" if node.attributes.get("linear_before_reset", 0) else "gru_reset_first"


@refusal("LSTM", "GRU", "RNN")
def refuse_other_cells(node: OnnxNode, constants: Constants) -> str | None:
    """Peepholes, clipping, coupled gates, other activations, and weights that are computed."""
    inputs = dict(enumerate(node.inputs))
    peepholes = inputs.get(7, "")
    if peepholes and (peepholes not in constants or bool(constants[peepholes].any())):
        return "peepholes (input P); train the layer without them"
    if node.attributes.get("clip") is not None:
        return "its clip attribute; leave it out"
    if node.attributes.get("input_forget", 0):
        return "input_forget=1; give both gates"
    if cell_of(node) is None:
        given = list(node.attributes["activations"])
        return f"activations={given}; use those that ONNX takes by default (or Relu in RNN)"
    if any(inputs.get(place, "") not in ("", *constants) for place in (1, 2, 3)):
        return "weights that the model computes; store them"
    return None
