"""Names from an ONNX file turned into names that PyTorch accepts and people recognise."""

import ast
import keyword
import re

import torch

_MODULE_LIKE = re.compile(r"\w+(\.\w+)+")
_OWN_ATTRIBUTES = {"inputs", "outputs", "steps", "opset", "run"}  # of OnnxModule
_TAKEN = frozenset(dir(torch.nn.Module())) | _OWN_ATTRIBUTES


def is_module_like(name: str) -> bool:
    """Whether a name reads like a parameter of a module: `layer1.0.conv1.weight`."""
    return _MODULE_LIKE.fullmatch(name) is not None


def fits_role(name: str, role: str) -> bool:
    """Whether a name can be that of a layer's `weight`, `bias`, ...: `attention.in_proj_weight` for a weight.

    `weight_bias` is how an exporter names the bias it makes from a batch norm.
    """
    last = name.rpartition(".")[2]
    return last.endswith(role) and last != f"weight_{role}"


def parent_of(name: str) -> str:
    """The module's path in a parameter's name: `layer1.0.conv1` of `layer1.0.conv1.weight`."""
    return name.rpartition(".")[0]


def words_of(name: str) -> str:
    """A name with only letters, digits, underscores, and dots between them."""
    parts = [re.sub(r"\W", "_", part) for part in name.split(".")]
    return ".".join(part for part in parts if part) or "constant"


def layer_from_scopes(scopes: str | None) -> str:
    """The module's path from what `torch.onnx.export(dynamo=True)` notes at a node, or empty.

    The note is a list such as `['', 'layer1', 'layer1.0', 'conv2d']`; the last entry is the operation.
    """
    try:
        path = ast.literal_eval(scopes)[-2] if scopes else ""
    except (ValueError, SyntaxError, IndexError, TypeError):
        return ""
    path = re.sub(r"@\d+", "", str(path))
    return "" if path.startswith("_") or not path else module_path(words_of(path))


def layer_from_node_name(name: str) -> str:
    """The module's path from a node's name as the older exporter writes it: `/layer1/layer1.0/conv1/Conv`."""
    parts = name.strip("/").split("/")[:-1]
    if not name.startswith("/") or not parts:
        return ""
    pairs = zip(parts, [*parts[1:], ""], strict=True)
    inner = [part for part, following in pairs if not following.startswith(f"{part}.")]
    return module_path(words_of(".".join(inner)))


def identifier_of(name: str) -> str:
    """A name that Python accepts for an argument."""
    word = re.sub(r"\W", "_", name)
    return word if word.isidentifier() and not keyword.iskeyword(word) else f"input_{word}"


def module_path(path: str) -> str:
    """A path whose parts can be attributes of a module: those that every module has get an underscore."""
    return ".".join(f"{part}_" if part in _TAKEN else part for part in path.split("."))
