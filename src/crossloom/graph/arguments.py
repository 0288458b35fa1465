"""Arguments of operations: bound by name, freed from the example's device, and written down for a file."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from crossloom.errors import UnsupportedOperationError
from crossloom.graph.nodes import NodeRef, TensorRef, TorchConstant

_KINDS: Mapping[str, type] = {
    "dtype": torch.dtype,
    "layout": torch.layout,
    "memory_format": torch.memory_format,
}


def map_nested(change: Callable[[Any], Any], value: Any) -> Any:
    """`change` applied to every value in nested lists and tuples; gives tuples."""
    if isinstance(value, tuple | list):
        return tuple(map_nested(change, item) for item in value)
    return change(value)


def bind_arguments(
    operation: torch._ops.OpOverload, args: tuple, kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments by their names in the operation's schema, defaults filled in."""
    parameters = operation._schema.arguments
    bound = {parameter.name: parameter.default_value for parameter in parameters}
    bound |= {parameter.name: value for parameter, value in zip(parameters, args, strict=False)}
    return bound | dict(kwargs)


def portable_arguments(
    operation: torch._ops.OpOverload, args: tuple, kwargs: Mapping[str, Any]
) -> tuple[tuple, dict[str, Any]]:
    """Positional and keyword arguments without the example's device.

    An operation that makes tensors makes them where the graph's inputs are.
    """
    parameters = operation._schema.arguments
    makes = not any("Tensor" in str(parameter.type) for parameter in parameters)
    given = dict(zip((parameter.name for parameter in parameters), args, strict=False)) | dict(kwargs)
    given.pop("pin_memory", None)
    for parameter in parameters:
        if "Device" in str(parameter.type):
            given.pop(parameter.name, None)
            if makes or not parameter.has_default_value():
                given[parameter.name] = TorchConstant("device", "input")
    positional = []
    for parameter in parameters:
        if parameter.kwarg_only or parameter.name not in given:
            break
        positional.append(given.pop(parameter.name))
    return tuple(positional), given


def encode(value: Any) -> Any:
    """Nested tuples of references, of what JSON can hold, and of `TorchConstant`s for the rest."""
    return map_nested(_encode_leaf, value)


def _encode_leaf(value: Any) -> Any:
    for kind, python_type in _KINDS.items():
        if isinstance(value, python_type):
            return TorchConstant(kind, str(value).removeprefix("torch."))
    if isinstance(value, float) and not math.isfinite(value):
        return TorchConstant("float", str(value))
    if isinstance(value, complex):
        return TorchConstant("complex", str(value))
    if value is None or isinstance(value, bool | int | float | str | NodeRef | TensorRef | TorchConstant):
        return value
    raise UnsupportedOperationError(f"an argument of type {type(value).__name__} cannot be stored: {value!r}")


def decode_constant(constant: TorchConstant, device: torch.device) -> Any:
    """What a `TorchConstant` stands for, when the graph runs on `device`."""
    kind, value = constant.kind, constant.value
    if kind == "device" and value == "input":
        return device
    if kind in ("float", "complex"):
        return float(value) if kind == "float" else complex(value)
    found = getattr(torch, value, None)
    if kind not in _KINDS or not isinstance(found, _KINDS[kind]):
        raise UnsupportedOperationError(f"unknown constant of torch: {kind} {value!r}")
    return found
