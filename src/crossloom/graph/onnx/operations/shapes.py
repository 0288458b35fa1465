"""Operations that move elements without changing them: shapes, orders, parts and copies."""

import numpy as np
import torch
import torch.nn.functional as F

from crossloom.graph.onnx.registry import operation, refusal
from crossloom.graph.onnx.steps import Constants, OnnxNode, Step


@operation("Identity")
def identity(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Its input."""
    return x


@operation("Flatten")
def flatten(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Two axes: all before `axis`, all from it on."""
    axis = step.attribute("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    if axis == 1:
        return torch.flatten(x, 1)
    return x.reshape(1, -1) if axis == 0 else x.flatten(axis).flatten(0, axis - 1)


@operation("Reshape", fixed=(1,))
def reshape(step: Step, x: torch.Tensor, shape: np.ndarray) -> torch.Tensor:
    """Another shape; a 0 keeps the axis (unless `allowzero`), a −1 takes what is left."""
    target = shape.reshape(-1).tolist()
    if not step.attribute("allowzero", 0):
        target = [
            x.shape[axis] if isinstance(size, int) and size == 0 else size for axis, size in enumerate(target)
        ]
    return x.reshape(target)


@operation("Transpose")
def transpose(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Axes in another order, by default the reverse one."""
    return x.permute(step.attribute("perm") or tuple(reversed(range(x.dim()))))


@operation("Squeeze", fixed=(1,))
def squeeze(step: Step, x: torch.Tensor, axes: np.ndarray | None = None) -> torch.Tensor:
    """Without axes of size 1: the given ones, or all."""
    return torch.squeeze(x) if axes is None else torch.squeeze(x, tuple(axes.reshape(-1).tolist()))


@operation("Unsqueeze", fixed=(1,))
def unsqueeze(step: Step, x: torch.Tensor, axes: np.ndarray) -> torch.Tensor:
    """New axes of size 1, at places counted in the result."""
    rank = x.dim() + axes.size
    for axis in sorted(axis % rank for axis in axes.reshape(-1).tolist()):
        x = torch.unsqueeze(x, axis)
    return x


@operation("Concat")
def concat(step: Step, *operands: torch.Tensor) -> torch.Tensor:
    """Tensors one after the other along an axis."""
    return torch.cat(operands, dim=step.attribute("axis"))


@operation("Split", fixed=(1,), num_outputs=None)
def split(step: Step, x: torch.Tensor, sections: np.ndarray | None = None) -> tuple[torch.Tensor, ...]:
    """Parts along an axis: of given sizes, or as equal as can be."""
    axis = step.attribute("axis", 0)
    if sections is not None:
        return torch.split(x, sections.reshape(-1).tolist(), axis)
    return torch.split(x, -(-x.shape[axis] // len(step.outputs)), axis)


@operation("Slice", fixed=(1, 2, 3, 4))
def slice_(
    step: Step,
    x: torch.Tensor,
    starts: np.ndarray,
    ends: np.ndarray,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> torch.Tensor:
    """Elements from start to end along axes; a negative step walks back."""
    chosen = list(range(starts.size)) if axes is None else axes.tolist()
    strides = [1] * starts.size if steps is None else steps.tolist()
    windows = [slice(None)] * x.dim()
    for axis, start, end, stride in zip(chosen, starts.tolist(), ends.tolist(), strides, strict=True):
        axis = axis % x.dim()
        if stride < 0:
            x = x.flip(axis)
            start, end = _from_the_back(start, x.shape[axis]), _from_the_back(end, x.shape[axis])
        windows[axis] = slice(start, end, abs(stride))
    return x[tuple(windows)]


def _from_the_back(index: int, size: int) -> int:
    """An index that counts from the front, as one that counts from the back, clamped to the axis."""
    index = index + size if index < 0 else index
    return size - 1 - min(max(index, -1), size - 1)


@operation("Expand", fixed=(1,))
def expand(step: Step, x: torch.Tensor, shape: np.ndarray) -> torch.Tensor:
    """Copies along axes of size 1; an axis of 1 in the wanted shape keeps its size."""
    target = shape.reshape(-1).tolist()
    target = [1] * (x.dim() - len(target)) + target
    kept = [1] * (len(target) - x.dim()) + list(x.shape)
    sizes = [old if isinstance(new, int) and new == 1 else new for old, new in zip(kept, target, strict=True)]
    return x.expand(sizes)


@operation("Tile", fixed=(1,))
def tile(step: Step, x: torch.Tensor, repeats: np.ndarray) -> torch.Tensor:
    """Copies along every axis."""
    return x.repeat(repeats.reshape(-1).tolist())


@operation("DepthToSpace")
def depth_to_space(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Channels moved into blocks of the plane; `CRD` is what PyTorch calls pixel shuffle."""
    block = step.attribute("blocksize")
    if step.attribute("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, block)
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, block, block, channels // block**2, height, width)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(
        batch, channels // block**2, height * block, width * block
    )


@operation("SpaceToDepth")
def space_to_depth(step: Step, x: torch.Tensor) -> torch.Tensor:
    """Blocks of the plane moved into channels."""
    block = step.attribute("blocksize")
    batch, channels, height, width = x.shape
    blocks = x.reshape(batch, channels, height // block, block, width // block, block)
    return blocks.permute(0, 3, 5, 1, 2, 4).reshape(
        batch, channels * block**2, height // block, width // block
    )


@operation("Trilu", fixed=(1,))
def triangle(step: Step, x: torch.Tensor, diagonal: np.ndarray | None = None) -> torch.Tensor:
    """The upper or lower triangle of each matrix."""
    function = torch.triu if step.attribute("upper", 1) else torch.tril
    return function(x, 0 if diagonal is None else int(diagonal.reshape(-1)[0]))


@refusal("DepthToSpace")
def refuse_unknown_order(node: OnnxNode, constants: Constants) -> str | None:
    """The two orders that ONNX defines."""
    mode = node.attributes.get("mode", "DCR")
    return None if mode in ("DCR", "CRD") else f"mode={mode}"
