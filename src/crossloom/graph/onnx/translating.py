"""From the ONNX libraries' objects to our own plain data; nothing after this knows those libraries."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from crossloom.errors import GraphError
from crossloom.graph.onnx.dtypes import TORCH_DTYPES
from crossloom.graph.onnx.names import layer_from_node_name, layer_from_scopes
from crossloom.graph.onnx.reading import opset_of
from crossloom.graph.onnx.steps import OnnxFile, OnnxInput, OnnxNode

_SCOPES = "pkg.torch.onnx.name_scopes"


def translate(model: Any, origins: dict[str, str], path: Path) -> OnnxFile:
    """A folded model as plain data."""
    graph = model.graph
    opset = opset_of(model)
    constants = {name: _tensor(value.const_value, name, path) for name, value in graph.initializers.items()}
    return OnnxFile(
        name=str(path),
        opset=opset,
        inputs=tuple(_input(value, path) for value in graph.inputs),
        outputs=tuple(value.name for value in graph.outputs),
        nodes=tuple(_node(node, opset, path) for node in graph),
        constants=constants,
        origins=origins,
    )


def _input(value: Any, path: Path) -> OnnxInput:
    """An input with its shape; axes without a number keep their names."""
    dtype = TORCH_DTYPES.get(int(value.dtype)) if value.dtype is not None else None
    if dtype is None:
        raise GraphError(f"{path}: input {value.name!r} is no tensor of a type that torch has")
    shape = None if value.shape is None else tuple(_axis(size) for size in value.shape)
    return OnnxInput(value.name, shape, dtype)


def _axis(size: Any) -> int | str | None:
    """A number, a name, or None; a size of 0 is how some exporters write that it is not known."""
    if isinstance(size, int):
        return size or None
    return size.value


def _node(node: Any, opset: int, path: Path) -> OnnxNode:
    return OnnxNode(
        operation=node.op_type,
        domain=node.domain,
        name=node.name or "",
        layer=layer_from_scopes(node.metadata_props.get(_SCOPES)) or layer_from_node_name(node.name or ""),
        inputs=tuple("" if value is None else value.name for value in node.inputs),
        outputs=tuple(value.name if _is_used(value) else "" for value in node.outputs),
        attributes=dict(_attributes(node, path)),
        opset=opset,
    )


def _is_used(value: Any) -> bool:
    return bool(value.uses()) or value.is_graph_output()


def _attributes(node: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """Attributes as numbers, strings, tuples and tensors; subgraphs only as a note that they are there."""
    for name, attribute in node.attributes.items():
        kind = attribute.type.name
        if kind in ("GRAPH", "GRAPHS"):
            yield "subgraphs", (name,)
        elif kind == "TENSOR":
            yield name, _tensor(attribute.value, f"{node.name}.{name}", path)
        else:
            yield (
                name,
                tuple(attribute.value) if isinstance(attribute.value, list | tuple) else attribute.value,
            )


def _tensor(tensor: Any, name: str, path: Path) -> torch.Tensor:
    """A constant as a torch tensor with the same bits."""
    if tensor is None or int(tensor.dtype) not in TORCH_DTYPES:
        kind = "no value" if tensor is None else f"the element type {tensor.dtype.name}"
        raise GraphError(f"{path}: the constant {name!r} has {kind}, which torch cannot compute with")
    try:
        array = np.ascontiguousarray(tensor.numpy()).reshape(tuple(tensor.shape))
    except Exception as error:  # a missing, short or wrong file of external data
        raise GraphError(f"{path}: the data of {name!r} cannot be read ({error})") from error
    if tensor.dtype.name == "BFLOAT16":
        return torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())
