"""Checks of inputs, done once where data enter."""

import torch

from crossloom.errors import DataError
from crossloom.graph.nodes import Graph, Input


def check_inputs(graph: Graph, inputs: tuple[torch.Tensor, ...]) -> None:
    """Check that `inputs` are what the graph takes.

    Raises:
        DataError: wrong number, type, shape or dtype, an empty batch, or a value that is not finite.
    """
    if isinstance(inputs, torch.Tensor) or len(inputs) != len(graph.inputs):
        names = ", ".join(node.name for node in graph.inputs)
        got = "a bare tensor" if isinstance(inputs, torch.Tensor) else str(len(inputs))
        raise DataError(f"need a tuple of {len(graph.inputs)} inputs ({names}), got {got}")
    for node, tensor in zip(graph.inputs, inputs, strict=True):
        _check_input(node, tensor)


def _check_input(node: Input, tensor: torch.Tensor) -> None:
    wanted = f"input {node.name!r} must be a {node.dtype} tensor {_describe(node.shape)}"
    if not isinstance(tensor, torch.Tensor):
        raise DataError(f"{wanted}, got {type(tensor).__name__}; use torch.as_tensor")
    got = str(tensor.dtype).removeprefix("torch.")
    if got != node.dtype:
        raise DataError(f"{wanted}, got {got}; use .to(torch.{node.dtype})")
    fits = all(size in (None, real) for size, real in zip(node.shape, tensor.shape, strict=False))
    if len(tensor.shape) != len(node.shape) or not fits:
        raise DataError(
            f"{wanted}, got {list(tensor.shape)}; reshape it, or trace the model with such an example"
        )
    _check_bounds(node, tensor)
    if tensor.numel() == 0:
        raise DataError(f"{wanted}, got {list(tensor.shape)}, which is empty; give at least one sample")
    if tensor.is_floating_point() and not _is_finite(tensor):
        raise DataError(f"{wanted} of finite values, got NaN or infinity; clean the data")


def _check_bounds(node: Input, tensor: torch.Tensor) -> None:
    for axis, bound in enumerate(node.bounds):
        if bound is not None and tensor.shape[axis] > bound:
            raise DataError(
                f"input {node.name!r} may be at most {bound} long along axis {axis}, as it was compiled, got "
                f"{tensor.shape[axis]}; shorten it, or compile with a greater bound in `dynamic`"
            )


def _is_finite(tensor: torch.Tensor) -> bool:
    """Extremes take NaN with them, and are found faster than every element is asked."""
    return bool(torch.stack(torch.aminmax(tensor)).isfinite().all())


def _describe(shape: tuple[int | None, ...]) -> str:
    sizes = ["any" if size is None else str(size) for size in shape]
    if sizes and sizes[0] == "any":
        sizes[0] = "batch"
    return f"[{', '.join(sizes)}]"
