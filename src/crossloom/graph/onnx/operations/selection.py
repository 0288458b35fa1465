"""Elements chosen by index."""

from typing import Any

import torch
import torch.nn.functional as F

from crossloom.graph.onnx.registry import operation
from crossloom.graph.onnx.steps import Step


def _from_the_front(indices: torch.Tensor, size: int) -> torch.Tensor:
    """Negative indices count from the back."""
    return torch.where(indices < 0, indices + size, indices)


@operation("Gather", takes_numbers=True, roles=("weight",))
def gather(step: Step, x: torch.Tensor, indices: Any) -> torch.Tensor:
    """Parts by index along an axis; of a stored table they are an embedding."""
    axis = step.attribute("axis", 0)
    if not isinstance(indices, torch.Tensor):
        return torch.select(x, axis, indices)
    axis = axis % x.dim()
    indices = _from_the_front(indices, x.shape[axis])
    if isinstance(x, torch.nn.Parameter) and x.dim() == 2 and axis == 0:
        return F.embedding(indices, x)
    chosen = torch.index_select(x, axis, indices.reshape(-1))
    return chosen.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


@operation("GatherElements")
def gather_elements(step: Step, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Single elements by index along an axis."""
    axis = step.attribute("axis", 0)
    return torch.gather(x, axis, _from_the_front(indices, x.shape[axis]))


@operation("GatherND")
def gather_nd(step: Step, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Parts by tuples of indices along the first axes."""
    return x[tuple(indices.unbind(-1))]
