"""Arithmetic on sizes: small arrays whose elements may be symbolic, so that a batch stays dynamic.

Exporters compute shapes by chains such as Shape, Gather, Concat, Reshape. On tensors such a chain would read
data and fix the batch. Here a chain is an array of Python numbers, or of torch's symbolic ones under export.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import torch

from crossloom.graph.onnx.dtypes import TORCH_DTYPES
from crossloom.graph.onnx.registry import size_operation
from crossloom.graph.onnx.steps import Step

Sizes = np.ndarray


def sizes_of(values: Any) -> Sizes:
    """A number or a (nested) sequence of numbers as an array of sizes."""
    if isinstance(values, np.ndarray):
        return values.astype(object)
    if isinstance(values, list | tuple):
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array
    array = np.empty((), dtype=object)
    array[()] = values
    return array


def tensor_of(sizes: Sizes) -> torch.Tensor:
    """An array of sizes as a tensor, symbolic or not."""
    flat = sizes.reshape(-1).tolist()
    is_whole = all(isinstance(number, int | torch.SymInt | np.integer) for number in flat)
    dtype = torch.int64 if is_whole else torch.float32
    if not flat:
        return torch.zeros(sizes.shape, dtype=dtype)
    return torch.stack([torch.scalar_tensor(number, dtype=dtype) for number in flat]).reshape(sizes.shape)


def _each(function: Callable[..., Any], *arrays: Sizes) -> Sizes:
    """A function applied to every element, with broadcasting."""
    result = np.frompyfunc(function, len(arrays), 1)(*(sizes_of(array) for array in arrays))
    return result if isinstance(result, np.ndarray) else sizes_of(result)


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | torch.SymInt)


def _divide(first: Any, second: Any) -> Any:
    """ONNX divides whole numbers without a remainder; sizes are not negative."""
    return first // second if _is_whole(first) and _is_whole(second) else first / second


def _pick(condition: Any, first: Any, second: Any) -> Any:
    return first if condition else second


@size_operation("Shape")
def shape(step: Step, x: Any) -> Sizes:
    """The sizes of a tensor (or of an array of sizes), from `start` to `end`."""
    return sizes_of(tuple(x.shape)[step.attribute("start", 0) : step.attribute("end")])


@size_operation("Size")
def size(step: Step, x: Any) -> Sizes:
    """The number of elements."""
    return sizes_of(reduce(lambda first, second: first * second, x.shape, 1))


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": lambda first, second: first + second,
    "Sub": lambda first, second: first - second,
    "Mul": lambda first, second: first * second,
    "Div": _divide,
    "Mod": lambda first, second: first % second,
    "Equal": lambda first, second: first == second,
    "Greater": lambda first, second: first > second,
    "Less": lambda first, second: first < second,
    "GreaterOrEqual": lambda first, second: first >= second,
    "LessOrEqual": lambda first, second: first <= second,
    "Min": torch.sym_min,
    "Max": torch.sym_max,
}

UNARY: dict[str, Callable[[Any], Any]] = {
    "Neg": lambda number: -number,
    "Abs": abs,
    "Floor": math.floor,
    "Ceil": math.ceil,
    "Not": lambda flag: not flag,
    "Identity": lambda number: number,
}


@size_operation(*BINARY)
def binary(step: Step, *arrays: Sizes) -> Sizes:
    """Arithmetic and comparison of sizes; Min and Max take any number of them."""
    return reduce(lambda first, second: _each(BINARY[step.operation], first, second), arrays)


@size_operation(*UNARY)
def unary(step: Step, array: Sizes) -> Sizes:
    """Functions of one size."""
    return _each(UNARY[step.operation], array)


@size_operation("Where")
def where(step: Step, condition: Sizes, first: Sizes, second: Sizes) -> Sizes:
    """The first where the condition holds, else the second."""
    return _each(_pick, condition, first, second)


@size_operation("Cast")
def cast(step: Step, array: Sizes) -> Sizes:
    """To whole numbers (towards zero), floating ones, or truths."""
    dtype = TORCH_DTYPES[step.attribute("to")]
    if dtype.is_floating_point:
        return _each(torch.sym_float, array)
    return _each(bool, array) if dtype == torch.bool else _each(torch.sym_int, array)


@size_operation("CastLike")
def cast_like(step: Step, array: Sizes, like: Sizes) -> Sizes:
    """To the kind of the other array's numbers."""
    is_whole = all(_is_whole(number) for number in like.reshape(-1).tolist())
    return _each(torch.sym_int if is_whole else torch.sym_float, array)


@size_operation("Gather")
def gather(step: Step, array: Sizes, indices: Sizes) -> Sizes:
    """Elements by index along one axis."""
    return sizes_of(np.take(array, indices.astype(np.int64), axis=step.attribute("axis", 0)))


@size_operation("Concat")
def concat(step: Step, *arrays: Sizes) -> Sizes:
    """Arrays one after the other."""
    return np.concatenate([sizes_of(array) for array in arrays], axis=step.attribute("axis", 0))


@size_operation("Unsqueeze")
def unsqueeze(step: Step, array: Sizes, axes: Sizes) -> Sizes:
    """New axes of size 1."""
    return np.expand_dims(array, tuple(int(axis) for axis in axes.reshape(-1)))


@size_operation("Squeeze")
def squeeze(step: Step, array: Sizes, axes: Sizes | None = None) -> Sizes:
    """Without axes of size 1."""
    chosen = None if axes is None else tuple(int(axis) for axis in axes.reshape(-1))
    return np.reshape(array, np.squeeze(np.empty(array.shape), chosen).shape)


@size_operation("Reshape")
def reshape(step: Step, array: Sizes, target: Sizes) -> Sizes:
    """The same elements in another shape."""
    return array.reshape([int(number) for number in target.reshape(-1)])


@size_operation("Slice")
def slice_(
    step: Step, array: Sizes, starts: Sizes, ends: Sizes, axes: Any = None, steps: Any = None
) -> Sizes:
    """Elements from start to end along axes."""
    chosen = range(len(starts)) if axes is None else [int(axis) for axis in axes]
    strides = [1] * len(starts) if steps is None else [int(stride) for stride in steps]
    windows = [slice(None)] * array.ndim
    for axis, start, end, stride in zip(chosen, starts, ends, strides, strict=True):
        stop = None if stride < 0 and end < -array.shape[axis] else int(end)
        windows[axis] = slice(int(start), stop, stride)
    return array[tuple(windows)]


@size_operation("Expand")
def expand(step: Step, array: Sizes, target: Sizes) -> Sizes:
    """Elements repeated to a shape."""
    shape = tuple(int(number) for number in target.reshape(-1))
    return np.broadcast_to(array, np.broadcast_shapes(array.shape, shape))


@size_operation("Split")
def split(step: Step, array: Sizes, sections: Sizes | None = None) -> list[Sizes]:
    """Parts along one axis: of given sizes, or as equal as can be."""
    axis = step.attribute("axis", 0)
    if sections is None:
        part = -(-array.shape[axis] // len(step.outputs))
        return np.split(array, range(part, array.shape[axis], part), axis=axis)
    return np.split(array, np.cumsum(sections.astype(np.int64))[:-1], axis=axis)


@size_operation("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin")
def reduce_sizes(step: Step, array: Sizes, axes: Sizes | None = None) -> Sizes:
    """All sizes as one: their product, sum, largest or smallest."""
    names = {"ReduceProd": "Mul", "ReduceSum": "Add", "ReduceMax": "Max", "ReduceMin": "Min"}
    total = reduce(BINARY[names[step.operation]], array.reshape(-1).tolist())
    return sizes_of([total] if step.attribute("keepdims", 1) else total)
