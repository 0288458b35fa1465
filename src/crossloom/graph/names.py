"""Names of nodes: where in the model an operation came from."""

import re
from collections.abc import Container
from pathlib import Path

import torch
from torch import fx

_FRAME = r'File "([^<"][^"]*)", line (\d+), in [^\n]*\n\s*([^\n]*)'
_NO_LAYER = "_empty_nn_module_stack_from_metadata_hook"


def layer_of(node: fx.Node) -> str:
    """The path of the module that called the operation (`"layer1.0.conv1"`), `""` for the model itself."""
    stack = node.meta.get("nn_module_stack")
    if not stack:
        return ""
    path = list(stack.values())[-1][0]
    if path == _NO_LAYER:
        return ""
    return re.sub(r"@\d+", "", path).removeprefix("L['self'].").removeprefix("L['self']")


def source_of(node: fx.Node) -> str:
    """Where in the user's code an operation was called, `" (at file.py:12: y = f(x))"`; `""` where not known."""
    frames = re.findall(_FRAME, node.meta.get("stack_trace") or "")
    own = [frame for frame in frames if not _is_torch(frame[0])]
    return " (at {}:{}: {})".format(*own[-1]) if own else ""


def _is_torch(filename: str) -> bool:
    return Path(torch.__file__).parent in Path(filename).parents


def unique_name(wanted: str, taken: Container[str]) -> str:
    """`wanted`, or `wanted_1`, `wanted_2`, ... if it is taken."""
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def matrix_name(layer: str, weight: str, fallback: str) -> str:
    """A matrix is called after its weight where that lies in the calling layer, else after the layer.

    So the two projections of an attention layer `attn`, which calls both itself, are told apart
    (`attn.in_proj` and `attn.out_proj`), and a layer that borrows its weight keeps its own name.
    """
    stem = weight.removesuffix("weight").rstrip("._")
    owns = stem == layer or stem.startswith(f"{layer}.") or not layer
    return stem if stem != weight and stem and owns else layer or fallback


def digital_name(layer: str, operation: str, fallback: str) -> str:
    """`layer.operation` (`"layer1.0.add"`), or the exporter's name for what no layer called."""
    return f"{layer}.{operation.lstrip('_')}" if layer else fallback
