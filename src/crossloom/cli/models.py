"""MODEL: what the first argument of `compile` and `run` may be."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from crossloom.errors import GraphError

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module

_SUFFIXES = (".onnx", ".pt2")


def is_model(text: str) -> bool:
    """Whether this names a model, rather than a file of crossloom's own."""
    return Path(text).suffix in _SUFFIXES or (":" in text and not Path(text).exists())


def load_model(text: str) -> "Module | ExportedProgram":
    """A .onnx file, a .pt2 file of `torch.export.save`, or `package.module:function` that returns a module.

    A .pt2 file and a function are code: use only those that you trust. Raises GraphError when there is no
    such file or function, or it holds no model.
    """
    path = Path(text)
    if not is_model(text):
        raise GraphError(f"need a .onnx or .pt2 file or package.module:function as the model, got {text!r}")
    if path.suffix in _SUFFIXES and not path.is_file():
        raise GraphError(f"there is no file {path}")
    if path.suffix == ".onnx":
        from crossloom.graph.onnx import load_onnx

        return load_onnx(path)
    return _load_program(path) if path.suffix == ".pt2" else _call(text)


def _load_program(path: Path) -> "ExportedProgram":
    import torch

    try:
        return torch.export.load(path)
    except Exception as error:  # a damaged archive can fail in any way
        raise GraphError(f"{path} cannot be read as an exported program ({error})") from None


def _call(text: str) -> "Module":
    from torch.nn import Module

    module_name, _, function_name = text.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise GraphError(
            f"{text}: {error.msg}; it is looked for in this folder and where Python looks"
        ) from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise GraphError(f"{text}: {module_name} has no function {function_name!r}")
    model = function()
    if not isinstance(model, Module):
        raise GraphError(f"{text}: need a function that returns an nn.Module, got {type(model).__name__}")
    return model


def find_fixed_batch(model: "Module | ExportedProgram") -> int | None:
    """The number of samples that a file fixes for every batch; None when any number will do."""
    from torch.export import ExportedProgram

    from crossloom.graph.onnx import OnnxModule

    if isinstance(model, OnnxModule):
        sizes = [entry.shape[0] for entry in model.inputs if entry.shape]
    elif isinstance(model, ExportedProgram):
        names = model.graph_signature.user_inputs
        values = [node.meta.get("val") for node in model.graph.nodes if node.name in names]
        sizes = [value.shape[0] for value in values if getattr(value, "shape", ())]
    else:
        sizes = []
    return sizes[0] if sizes and isinstance(sizes[0], int) else None
