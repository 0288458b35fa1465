"""Reductions along axes."""

from collections.abc import Callable

import numpy as np
import torch

from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step

Reduction = Callable[[torch.Tensor, list[int], bool], torch.Tensor]


def _product(x: torch.Tensor, axes: list[int], keepdims: bool) -> torch.Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = torch.prod(x, dim=axis, keepdim=keepdims)
    return x


REDUCTIONS: dict[str, Reduction] = {
    "ReduceL1": lambda x, axes, keepdims: torch.sum(torch.abs(x), axes, keepdims),
    "ReduceL2": lambda x, axes, keepdims: torch.linalg.vector_norm(x, 2, axes, keepdims),
    "ReduceLogSumExp": lambda x, axes, keepdims: torch.logsumexp(x, axes, keepdims),
    "ReduceMax": lambda x, axes, keepdims: torch.amax(x, axes, keepdims),
    "ReduceMean": lambda x, axes, keepdims: torch.mean(x, axes, keepdims),
    "ReduceMin": lambda x, axes, keepdims: torch.amin(x, axes, keepdims),
    "ReduceProd": _product,
    "ReduceSum": lambda x, axes, keepdims: torch.sum(x, axes, keepdims),
    "ReduceSumSquare": lambda x, axes, keepdims: torch.sum(x * x, axes, keepdims),
}


@operation(*REDUCTIONS, fixed=(1,))
def reduce_axes(step: Step, x: torch.Tensor, axes: np.ndarray | None = None) -> torch.Tensor:
    """All elements along axes as one; the axes are an attribute in older opsets, an operand in newer ones."""
    chosen = list(step.attribute("axes") or []) if axes is None else axes.reshape(-1).tolist()
    if not chosen and step.attribute("noop_with_empty_axes", 0):
        return x
    keepdims = bool(step.attribute("keepdims", 1))
    return REDUCTIONS[step.operation](x, chosen or list(range(x.dim())), keepdims)


@operation("ArgMax", "ArgMin")
def arg_extreme(step: Step, x: torch.Tensor) -> torch.Tensor:
    """The index of the first largest or smallest element along an axis."""
    function = torch.argmax if step.operation == "ArgMax" else torch.argmin
    return function(x, step.attribute("axis", 0), keepdim=bool(step.attribute("keepdims", 1)))


@refusal("ArgMax", "ArgMin")
def refuse_last_index(node: OnnxNode, constants: Constants) -> str | None:
    """Torch gives the first of equal elements."""
    return "select_last_index=1" if node.attributes.get("select_last_index") else None


@operation("CumSum", fixed=(1,))
def cumulative_sum(step: Step, x: torch.Tensor, axis: np.ndarray) -> torch.Tensor:
    """Running sums along an axis: with or without the element itself, from the front or the back."""
    dim = int(axis.reshape(-1)[0])
    x = x.flip(dim) if step.attribute("reverse", 0) else x
    result = torch.cumsum(x, dim)
    result = result - x if step.attribute("exclusive", 0) else result
    return result.flip(dim) if step.attribute("reverse", 0) else result


@operation("TopK", fixed=(1,), num_outputs=None)
def top_k(step: Step, x: torch.Tensor, count: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest or smallest elements along an axis, and their indices."""
    largest, is_sorted = bool(step.attribute("largest", 1)), bool(step.attribute("sorted", 1))
    return torch.topk(x, count.reshape(-1).tolist()[0], step.attribute("axis", -1), largest, is_sorted)
