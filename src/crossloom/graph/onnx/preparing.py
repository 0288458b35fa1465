"""Nodes with weights, brought into PyTorch's form at load: matrices as `[out, in]`, biases with one axis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from crossloom.graph.onnx.steps import Constants, OnnxNode


@dataclass(frozen=True)
class Weight:
    """An operand that becomes a stored tensor: its constant, the tensor, and its form's name."""

    constant: str
    tensor: torch.Tensor
    form: str = ""


@dataclass(frozen=True)
class Prepared:
    """A node whose operands are names of values, weights in their final form, or None."""

    operation: str
    operands: tuple[str | Weight | None, ...]
    attributes: Mapping[str, object]


Preparation = Callable[[OnnxNode, Constants, Mapping[str, str]], Prepared | None]

PREPARATIONS: dict[str, Preparation] = {}


def preparation(name: str) -> Callable[[Preparation], Preparation]:
    """Register a function that prepares nodes of this ONNX name, or gives None to leave one as it is."""

    def register(function: Preparation) -> Preparation:
        PREPARATIONS[name] = function
        return function

    return register


def _matrix(name: str, constants: Constants) -> torch.Tensor | None:
    """The stored matrix of this name, if it is one."""
    tensor = constants.get(name)
    is_matrix = tensor is not None and tensor.dim() == 2 and tensor.is_floating_point()
    return tensor if is_matrix else None


@preparation("MatMul")
def prepare_matmul(node: OnnxNode, constants: Constants, origins: Mapping[str, str]) -> Prepared | None:
    """x · B with a stored B is a linear layer with the weight Bᵀ."""
    matrix = _matrix(node.inputs[1], constants)
    if matrix is None or node.inputs[0] in constants:
        return None
    weight = Weight(node.inputs[1], matrix.t().contiguous(), "transposed")
    return Prepared("Linear", (node.inputs[0], weight, None), {})


@preparation("Gemm")
def prepare_gemm(node: OnnxNode, constants: Constants, origins: Mapping[str, str]) -> Prepared | None:
    """alpha · A B + beta · C with a stored B is a linear layer; a C that all rows share is its bias."""
    matrix = _matrix(node.inputs[1], constants)
    if matrix is None:
        return None
    is_transposed = bool(node.attributes.get("transB", 0))
    matrix = matrix if is_transposed else matrix.t().contiguous()
    alpha = node.attributes.get("alpha", 1.0)
    form = ("" if is_transposed else "transposed") + ("" if alpha == 1.0 else f" times {alpha}")
    weight = Weight(node.inputs[1], matrix if alpha == 1.0 else alpha * matrix, form)
    name = next(iter(node.inputs[2:]), "")
    bias = _gemm_bias(node, constants.get(name), len(matrix))
    addend = name if name and bias is None else None
    return Prepared("Linear", (node.inputs[0], weight, bias, addend), node.attributes)


def _gemm_bias(node: OnnxNode, tensor: torch.Tensor | None, num_outputs: int) -> Weight | None:
    """A Gemm's C as a bias of one axis, if it is stored and the same in every row."""
    if tensor is None or (tensor.dim() == 2 and len(tensor) != 1):
        return None
    beta = node.attributes.get("beta", 1.0)
    bias = tensor.reshape(-1).expand(num_outputs).contiguous()
    form = "" if beta == 1.0 else f"times {beta}"
    return Weight(node.inputs[2], bias if beta == 1.0 else beta * bias, form)


@preparation("Conv")
def prepare_conv(node: OnnxNode, constants: Constants, origins: Mapping[str, str]) -> Prepared | None:
    """A bias of zeros that no initialiser holds was added by the exporter: PyTorch's layer has none."""
    name = next(iter(node.inputs[2:]), "")
    if name not in constants or name in origins or bool(constants[name].any()):
        return None
    return Prepared("Conv", node.inputs[:2], node.attributes)


@preparation("PRelu")
def prepare_prelu(node: OnnxNode, constants: Constants, origins: Mapping[str, str]) -> Prepared | None:
    """A stored slope per channel `[channels, 1, ...]`, or one for all, gets one axis as PyTorch has it."""
    slope = constants.get(node.inputs[1])
    if slope is None or (slope.numel() != 1 and slope.shape[0] != slope.numel()):
        return None
    weight = Weight(node.inputs[1], slope.reshape(-1), "one axis")
    return Prepared("PRelu", (node.inputs[0], weight), {"is_per_channel": 1})
