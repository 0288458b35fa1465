"""Axes of inputs whose length is not fixed: how they are asked for, and how long they may be."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram, ShapesCollection

from crossloom.errors import ConfigError, GraphError
from crossloom.graph.nodes import Input
from crossloom.registry import did_you_mean

Dynamic = Mapping[str | int, Mapping[int, int]]
"""The greatest length of axes that are dynamic besides the batch: `{"tokens": {1: 128}}`, by the name that `forward`
gives an input, or by its number."""


def dynamic_shapes(model: nn.Module, inputs: tuple[torch.Tensor, ...], dynamic: Dynamic) -> Any:
    """What the exporter takes: axis 0 of every input is the batch, and `dynamic` names more.

    Raises:
        ConfigError: an unknown input or axis, or a bound that the example does not keep.
    """
    wanted = _by_number(model, inputs, dynamic)
    shapes = ShapesCollection()
    for number, tensor in enumerate(inputs):
        axes = {0: Dim.AUTO} if tensor.ndim else {}
        for axis, most in wanted.get(number, {}).items():
            axes[axis] = Dim.AUTO(max=most)
        if axes:
            shapes[tensor] = axes
    return shapes.dynamic_shapes(model, inputs)


def check_dynamic(inputs: tuple[Input, ...], model: nn.Module, dynamic: Dynamic) -> None:
    """GraphError when the model fixes an axis that was to be dynamic."""
    names = _names(model, len(inputs))
    for key, axes in dynamic.items():
        number = key if isinstance(key, int) else names.index(key)
        for axis in axes:
            size = inputs[number].shape[axis]
            if size is not None:
                raise GraphError(
                    f"the model fixes axis {axis} of input {names[number]!r} at {size}; compute its sizes from "
                    "x.shape, or leave the axis out of `dynamic`"
                )


def bounds_of(program: ExportedProgram, value: torch.Tensor) -> tuple[int | None, ...]:
    """The greatest length of every axis of an input that is dynamic and has one; () where there are none."""
    found = tuple(_bound(program, size) for size in value.shape)
    return found if any(bound is not None for bound in found) else ()


def _bound(program: ExportedProgram, size: int | torch.SymInt) -> int | None:
    if isinstance(size, int):
        return None
    limits = program.range_constraints.get(size.node.expr)
    upper = None if limits is None else limits.upper
    # The exporter's own ends are far beyond what memory holds.
    return int(upper) if upper is not None and upper.is_Integer and int(upper) < 2**31 else None


def _by_number(
    model: nn.Module, inputs: tuple[torch.Tensor, ...], dynamic: Dynamic
) -> Mapping[int, Mapping[int, int]]:
    names, found = _names(model, len(inputs)), {}
    for key, axes in dynamic.items():
        number = key if isinstance(key, int) else names.index(key) if key in names else None
        if number is None or not 0 <= number < len(inputs):
            known = did_you_mean(str(key), names)
            raise ConfigError(f"dynamic: the model has no input {key!r}; {known}")
        for axis, most in axes.items():
            _check_axis(names[number], inputs[number], axis, most)
        found[number] = axes
    return found


def _check_axis(name: str, example: torch.Tensor, axis: int, most: int) -> None:
    if not 1 <= axis < example.ndim:
        raise ConfigError(
            f"dynamic: input {name!r} has axes 1 to {example.ndim - 1} besides the batch, not {axis}"
        )
    if most < 2 or example.shape[axis] > most:
        raise ConfigError(
            f"dynamic: axis {axis} of input {name!r} may be at most {most} long, the example's is "
            f"{example.shape[axis]}; give a bound of 2 or more, and an example within it"
        )


def _names(model: nn.Module, num_inputs: int) -> list[str]:
    """What `forward` calls its inputs; those of `*args` by number."""
    names = [
        name
        for name, parameter in inspect.signature(model.forward).parameters.items()
        if parameter.kind is not parameter.VAR_POSITIONAL
    ][:num_inputs]
    return names + [str(number) for number in range(len(names), num_inputs)]
