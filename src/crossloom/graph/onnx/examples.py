"""Inputs made up from the shapes that a file declares."""

from pathlib import Path

import torch

from crossloom.errors import DataError
from crossloom.graph.onnx.loading import load_onnx
from crossloom.graph.onnx.module import OnnxModule
from crossloom.graph.onnx.steps import OnnxInput


def example_inputs(source: str | Path | OnnxModule, batch: int = 2) -> tuple[torch.Tensor, ...]:
    """One tensor for each input of a file or module: normal random numbers, or zeros where not floating.

    A dynamic first axis gets the size `batch`, and so does every axis that the file gives the same name.
    Raises DataError where another axis is not declared: then only data can tell.
    """
    module = source if isinstance(source, OnnxModule) else load_onnx(source)
    generator = torch.Generator().manual_seed(0)
    firsts = {entry.shape[0] for entry in module.inputs if entry.shape}
    batch_names = {name for name in firsts if isinstance(name, str)}
    return tuple(_example(entry, batch, batch_names, generator) for entry in module.inputs)


def _example(entry: OnnxInput, batch: int, batch_names: set[str], generator: torch.Generator) -> torch.Tensor:
    """A tensor of one input's shape and type."""
    if entry.shape is None:
        raise DataError(f"input {entry.name!r} declares no shape; pass example inputs")
    shape = [
        batch if (axis == 0 and not isinstance(size, int)) or size in batch_names else size
        for axis, size in enumerate(entry.shape)
    ]
    sizes = [size for size in shape if isinstance(size, int)]
    if len(sizes) < len(shape):
        unknown = [axis for axis, size in enumerate(shape) if not isinstance(size, int)]
        axes = ", ".join(f"{axis} ({entry.shape[axis] or 'unnamed'})" for axis in unknown)
        raise DataError(f"input {entry.name!r} does not declare the size of axes {axes}; pass example inputs")
    if not entry.dtype.is_floating_point:
        return torch.zeros(sizes, dtype=entry.dtype)
    return torch.randn(sizes, generator=generator).to(entry.dtype)
