"""Which ATen calls are products with a stored matrix: linear, convolution, matmul with a parameter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from crossloom.graph.nodes import NodeRef, TensorRef
from crossloom.graph.tensors import TensorStore
from crossloom.windows import Window

aten = torch.ops.aten
Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Product:
    """`source` times a stored matrix.

    `weight` is `[out, in]`, or `[out, in / groups, *kernel]` with a `window`. `pad` is the zeros that the
    source needs before (torch's order: last axis first), where the window's own padding cannot say it.
    """

    source: NodeRef
    weight: TensorRef
    bias: TensorRef | None
    window: Window | None = None
    groups: int = 1
    pad: tuple[int, ...] | None = None


def match_product(
    operation: torch._ops.OpOverload, bound: Arguments, rank: Callable[[NodeRef], int], store: TensorStore
) -> Product | None:
    """The product that this call computes, or None where crossbars cannot do it.

    That is where the weights are computed, are integers, or have odd axes. `rank` tells a node's number of
    axes.
    """
    match = _MATCHERS.get(operation)
    product = match(bound, store) if match else None
    if (
        product is None
        or not isinstance(product.source, NodeRef)
        or not isinstance(product.weight, TensorRef)
    ):
        return None
    weight, num_axes = store[product.weight], product.window.num_axes if product.window else 0
    source_rank = rank(product.source)
    fits = weight.ndim == num_axes + 2 and (source_rank == num_axes + 2 if num_axes else source_rank >= 2)
    return product if fits and weight.is_floating_point() and _bias_fits(product, weight, store) else None


def _bias_fits(product: Product, weight: torch.Tensor, store: TensorStore) -> bool:
    if product.bias is None:
        return True
    return isinstance(product.bias, TensorRef) and store[product.bias].shape == weight.shape[:1]


def _linear(bound: Arguments, store: TensorStore) -> Product:
    return Product(bound["input"], bound["weight"], bound["bias"])


def _matmul(bound: Arguments, store: TensorStore) -> Product | None:
    weight = _transpose(bound.get("other", bound.get("mat2")), store)
    return Product(bound["self"], weight, None) if weight else None


def _addmm(bound: Arguments, store: TensorStore) -> Product | None:
    weight = _transpose(bound["mat2"], store)
    if weight is None or not isinstance(bound["self"], TensorRef):
        return None
    if (bound["alpha"], bound["beta"]) != (1, 1):
        return None
    return Product(bound["mat1"], weight, bound["self"])


def _transpose(weight: Any, store: TensorStore) -> TensorRef | None:
    """The one place where `[in, out]` becomes `[out, in]`."""
    if not isinstance(weight, TensorRef) or store[weight].ndim != 2:
        return None
    return store.add(f"{weight.name}.transposed", store[weight].t())


def _convolution(bound: Arguments, store: TensorStore) -> Product | None:
    if bound.get("transposed") or not isinstance(bound["weight"], TensorRef):
        return None
    kernel = tuple(store[bound["weight"]].shape[2:])
    stride, dilation = (_per_axis(bound[name], len(kernel)) for name in ("stride", "dilation"))
    if isinstance(bound["padding"], str):
        padding, pad = (
            _same_padding(kernel, dilation) if bound["padding"] == "same" else ((0,) * len(kernel), None)
        )
    else:
        padding, pad = _per_axis(bound["padding"], len(kernel)), None
    window = Window(kernel, stride, padding, dilation)
    return Product(bound["input"], bound["weight"], bound["bias"], window, bound["groups"], pad)


def _per_axis(value: int | tuple[int, ...] | list[int], num_axes: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * num_axes if len(values) == 1 else values


def _same_padding(
    kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Symmetric padding that keeps the size, and the zeros to add at the far ends when it is odd."""
    total = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
    extra = [zeros % 2 for zeros in reversed(total)]
    return tuple(zeros // 2 for zeros in total), tuple(side for odd in extra for side in (0, odd)) if any(
        extra
    ) else None


_MATCHERS: Mapping[Any, Callable[[Arguments, TensorStore], Product | None]] = {
    aten.linear.default: _linear,
    aten.matmul.default: _matmul,
    aten.mm.default: _matmul,
    aten.addmm.default: _addmm,
    aten.conv1d.default: _convolution,
    aten.conv2d.default: _convolution,
    aten.conv3d.default: _convolution,
    aten.conv1d.padding: _convolution,
    aten.conv2d.padding: _convolution,
    aten.conv3d.padding: _convolution,
    aten.convolution.default: _convolution,
}
