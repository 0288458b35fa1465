"""Which ATen calls are products with a stored matrix: linear, convolution, and sums such as einsum and matmul."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from crossloom.graph.contraction import Shape
from crossloom.graph.moves import Move, pad
from crossloom.graph.nodes import NodeRef, TensorRef
from crossloom.graph.sums import SUMS, lower_sum
from crossloom.graph.tensors import TensorStore
from crossloom.graph.transposed import Axis, as_convolution
from crossloom.windows import Window

aten = torch.ops.aten
Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Product:
    """`source` times a stored matrix.

    `weight` is `[out, in]`, or `[out, in / groups, *kernel]` with a `window`. `before` and `after` bring the source
    into the matrix's layout and its outputs out of it.
    """

    source: NodeRef
    weight: TensorRef
    bias: TensorRef | None
    window: Window | None = None
    groups: int = 1
    before: tuple[Move, ...] = ()
    after: tuple[Move, ...] = ()


def match_product(
    operation: torch._ops.OpOverload,
    bound: Arguments,
    shape: Callable[[NodeRef], Shape],
    store: TensorStore,
) -> Product | None:
    """The product that this call computes, or None where crossbars cannot do it.

    That is where the weights are computed, are integers, or have odd axes. `shape` tells a node's, None where
    dynamic.
    """
    if operation in _MATCHERS:
        product = _MATCHERS[operation](bound, store)
        if product is not None and _fits(product, shape, store):
            return product
    if operation not in SUMS:
        return None
    lowered = lower_sum(SUMS[operation](bound, lambda operand: _rank(operand, shape, store)), shape, store)
    if lowered is None:
        return None
    source, found = lowered
    return Product(source, found.weight, None, found.window, found.groups, found.before, found.after)


def _rank(operand: Any, shape: Callable[[NodeRef], Shape], store: TensorStore) -> int:
    return len(shape(operand)) if isinstance(operand, NodeRef) else store[operand].ndim


def _fits(product: Product, shape: Callable[[NodeRef], Shape], store: TensorStore) -> bool:
    if not isinstance(product.source, NodeRef) or not isinstance(product.weight, TensorRef):
        return False
    weight, num_axes = store[product.weight], product.window.num_axes if product.window else 0
    source_rank = len(shape(product.source))
    fits = weight.ndim == num_axes + 2 and (source_rank == num_axes + 2 if num_axes else source_rank >= 2)
    return fits and weight.is_floating_point() and _bias_fits(product, weight, store)


def _bias_fits(product: Product, weight: torch.Tensor, store: TensorStore) -> bool:
    if product.bias is None:
        return True
    return isinstance(product.bias, TensorRef) and store[product.bias].shape == weight.shape[:1]


def _linear(bound: Arguments, store: TensorStore) -> Product:
    return Product(bound["input"], bound["weight"], bound["bias"])


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
    return store.derive(weight, f"{weight.name}.transposed", store[weight].t())


def _convolution(bound: Arguments, store: TensorStore) -> Product | None:
    if bound.get("transposed"):
        return _transposed_convolution(bound, store)
    if not isinstance(bound["weight"], TensorRef):
        return None
    kernel = tuple(store[bound["weight"]].shape[2:])
    stride, dilation = (_per_axis(bound[name], len(kernel)) for name in ("stride", "dilation"))
    before: tuple[Move, ...] = ()
    if bound["padding"] == "same":
        padding, before = _same_padding(kernel, dilation)
    else:
        padding = _per_axis(0 if bound["padding"] == "valid" else bound["padding"], len(kernel))
    window = Window(kernel, stride, padding, dilation)
    return Product(bound["input"], bound["weight"], bound["bias"], window, bound["groups"], before)


def _transposed_convolution(bound: Arguments, store: TensorStore) -> Product | None:
    weight, bias = bound["weight"], bound["bias"]
    if not isinstance(weight, TensorRef) or not (bias is None or isinstance(bias, TensorRef)):
        return None
    kernel = tuple(store[weight].shape[2:])
    names = ("stride", "padding", "output_padding", "dilation")
    choices = (_per_axis(bound[name], len(kernel)) for name in names)
    axes = tuple(Axis(*numbers) for numbers in zip(kernel, *choices, strict=True))
    found = as_convolution(weight, bias, bound["groups"], axes, store)
    return Product(
        bound["input"], found.weight, found.bias, found.window, bound["groups"], found.before, found.after
    )


def _per_axis(value: int | tuple[int, ...] | list[int], num_axes: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * num_axes if len(values) == 1 else values


def _same_padding(
    kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[Move, ...]]:
    """Symmetric padding that keeps the size, and the zeros to add at the far ends when it is odd."""
    total = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
    odd = tuple((0, zeros % 2) for zeros in total)
    return tuple(zeros // 2 for zeros in total), pad("pad", odd)


_MATCHERS: Mapping[Any, Callable[[Arguments, TensorStore], Product | None]] = {
    aten.linear.default: _linear,
    aten.addmm.default: _addmm,
    aten.conv1d.default: _convolution,
    aten.conv2d.default: _convolution,
    aten.conv3d.default: _convolution,
    aten.conv1d.padding: _convolution,
    aten.conv2d.padding: _convolution,
    aten.conv3d.padding: _convolution,
    aten.convolution.default: _convolution,
    aten.conv_transpose1d.default: _transposed_convolution,
    aten.conv_transpose2d.input: _transposed_convolution,
    aten.conv_transpose3d.input: _transposed_convolution,
}


def lowered_operations() -> tuple[str, ...]:
    """The operations of ATen that become matrices where one operand is stored, by name."""
    names = {operation._schema.name.removeprefix("aten::") for operation in (*_MATCHERS, *SUMS)}
    return tuple(sorted(names))
