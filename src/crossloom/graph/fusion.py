"""Passes that take the digital operation after a matrix into the matrix: batch norm, bias, activation."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from crossloom.graph.names import unique_name
from crossloom.graph.nodes import Digital, Graph, Matrix, Node, NodeRef, TensorRef
from crossloom.graph.references import count_uses, rename_references

Tensors = dict[str, torch.Tensor]
Absorb = Callable[[Matrix, Digital, Tensors], Matrix | None]
"""The matrix that also does what the digital node does, or None; may add tensors."""


def _absorb(graph: Graph, absorb: Absorb) -> Graph:
    """Offer every digital node to the matrix before it, if the matrix feeds nothing else."""
    uses, tensors = count_uses(graph), dict(graph.tensors)
    renamed: dict[str, str] = {}
    nodes: dict[str, Node] = {}
    for old in graph.nodes:
        node = rename_references(old, renamed)
        host = _host(node, nodes, uses)
        fused = absorb(host, node, tensors) if host and isinstance(node, Digital) else None
        if fused is None:
            nodes[node.name] = node
        else:
            nodes[fused.name], renamed[node.name] = fused, fused.name
            uses[fused.name] = uses[node.name]
    outputs = tuple(renamed.get(name, name) for name in graph.outputs)
    return Graph(tuple(nodes.values()), outputs, graph.single_output, tensors)


def _host(node: Node, nodes: dict[str, Node], uses: Counter[str]) -> Matrix | None:
    """The matrix without activation that feeds one of the first two arguments of `node` and nothing else."""
    for arg in node.args[:2] if isinstance(node, Digital) else ():
        host = nodes.get(arg.name) if isinstance(arg, NodeRef) else None
        if isinstance(host, Matrix) and host.activation is None and uses[host.name] == 1:
            return host
    return None


@dataclass(frozen=True)
class FoldBatchNorm:
    """Batch norm in eval mode after a matrix becomes part of its weight and bias.

    w' = w γ/√(σ² + ε),  b' = (b − μ) γ/√(σ² + ε) + β  with the norm's stored μ, σ², γ, β, ε. In just this
    order and with a correctly rounded root, unlike `torch.nn.utils.fusion`: it is what `torch.onnx.export` does
    when it folds, so a model and its ONNX file give the same bits.
    """

    def __call__(self, graph: Graph) -> Graph:
        folded: dict[tuple, tuple[str, str]] = {}

        def absorb(matrix: Matrix, node: Digital, tensors: Tensors) -> Matrix | None:
            if not _is_norm_of_outputs(matrix, node):
                return None
            # A layer that runs twice with the same norm keeps one weight.
            key = (matrix.weight, matrix.bias, node.args[1:])
            if key not in folded:
                weight, bias = _fold(matrix, node, tensors)
                names = tuple(unique_name(f"{matrix.name}.{kind}", tensors) for kind in ("weight", "bias"))
                tensors |= zip(names, (weight, bias), strict=True)
                folded[key] = (names[0], names[1])
            weight_name, bias_name = folded[key]
            return replace(matrix, weight=weight_name, bias=bias_name)

        return _absorb(graph, absorb)


def _is_norm_of_outputs(matrix: Matrix, node: Digital) -> bool:
    """Whether `node` normalises the matrix's outputs with stored statistics (axis 1 must be the outputs)."""
    if node.operation != "aten.batch_norm.default" or node.args[5] is not False:
        return False
    statistics = all(isinstance(arg, TensorRef) for arg in node.args[3:5])
    affine = all(arg is None or isinstance(arg, TensorRef) for arg in node.args[1:3])
    return statistics and affine and (matrix.window is not None or len(matrix.shape) == 2)


def _fold(matrix: Matrix, node: Digital, tensors: Tensors) -> tuple[torch.Tensor, torch.Tensor]:
    mean, variance = (tensors[arg.name] for arg in node.args[3:5])
    scale = tensors[node.args[1].name] if node.args[1] else torch.ones_like(mean)
    shift = tensors[node.args[2].name] if node.args[2] else torch.zeros_like(mean)
    bias = tensors[matrix.bias] if matrix.bias else torch.zeros_like(mean)
    weight = tensors[matrix.weight]
    factor = scale / (variance + node.args[7]).double().sqrt().to(scale.dtype)
    folded = weight * factor.view(-1, *[1] * (weight.dim() - 1))
    return folded.detach(), ((bias - mean) * factor + shift).detach()


@dataclass(frozen=True)
class FuseBias:
    """A stored tensor that is added to a matrix's outputs, one value per output, becomes its bias."""

    def __call__(self, graph: Graph) -> Graph:
        return _absorb(graph, _fuse_bias)


def _fuse_bias(matrix: Matrix, node: Digital, tensors: Tensors) -> Matrix | None:
    constants = [arg for arg in node.args if isinstance(arg, TensorRef)]
    if (
        node.operation != "aten.add.Tensor"
        or node.kwargs
        or len(constants) != 1
        or node.shape != matrix.shape
    ):
        return None
    weight, added = tensors[matrix.weight], tensors[constants[0].name]
    after = matrix.window.num_axes if matrix.window else 0
    per_output = (1,) * (len(matrix.shape) - after - 1) + (-1,) + (1,) * after
    outputs = [1 if axis == 1 else len(weight) for axis in per_output]
    added_shape = [1] * (len(outputs) - added.ndim) + list(added.shape)
    if added.dtype != weight.dtype or any(
        size not in (1, out) for size, out in zip(added_shape, outputs, strict=True)
    ):
        return None
    bias = added.flatten().expand(len(weight))
    if matrix.bias:
        bias = bias + tensors[matrix.bias]
    name = unique_name(f"{matrix.name}.bias", tensors)
    tensors[name] = bias.contiguous()
    return replace(matrix, bias=name)


@dataclass(frozen=True)
class FuseActivation:
    """A rectifier after a matrix becomes its activation."""

    def __call__(self, graph: Graph) -> Graph:
        return _absorb(graph, _fuse_activation)


def _fuse_activation(matrix: Matrix, node: Digital, tensors: Tensors) -> Matrix | None:
    return replace(matrix, activation="relu") if node.operation == "aten.relu.default" else None
