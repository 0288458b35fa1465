"""From an ONNX file to a graph, the way every PyTorch model goes."""

from pathlib import Path

import torch

from crossloom.graph.capture import trace
from crossloom.graph.dynamic import Dynamic
from crossloom.graph.nodes import Graph
from crossloom.graph.onnx.examples import example_inputs
from crossloom.graph.onnx.loading import load_onnx


def import_onnx(
    path: str | Path,
    example: torch.Tensor | tuple[torch.Tensor, ...] | None = None,
    dynamic: Dynamic | None = None,
) -> Graph:
    """Read an ONNX file into a graph, not yet simplified.

    `example` are inputs to trace with; None makes them up from the shapes that the file declares. `dynamic` is as for
    `trace`, with inputs by number. Raises
    UnsupportedOperationError naming every operation and node that is not supported, GraphError for a file that is
    damaged, and DataError when the file does not say how large its inputs are.
    """
    module = load_onnx(path)
    return trace(module, example_inputs(module) if example is None else example, dynamic)
