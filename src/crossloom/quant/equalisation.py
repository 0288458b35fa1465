"""Cross-layer equalisation: what one layer's outputs are divided by, the next layer's inputs are multiplied by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch

from crossloom.graph import Digital, Graph, Matrix, Node, NodeRef, node_references

_ROUNDS, _ENOUGH = 40, 1e-3
_HOMOGENEOUS = (None, "relu")
_RELU = "aten.relu.default"
_BY_CHANNEL = (
    "aten.max_pool1d.default",
    "aten.max_pool2d.default",
    "aten.max_pool3d.default",
    "aten.avg_pool1d.default",
    "aten.avg_pool2d.default",
    "aten.avg_pool3d.default",
    "aten.adaptive_avg_pool1d.default",
    "aten.adaptive_avg_pool2d.default",
    _RELU,
)
_FLATTEN = "aten.flatten.using_ints"


@dataclass(frozen=True)
class _Pair:
    """A matrix, and the one matrix that its outputs reach."""

    first: Matrix
    second: Matrix


def equalize(graph: Graph) -> Graph:
    """The same function, with weights whose ranges neighbouring layers share channel by channel.

    Where a layer's outputs reach one other layer alone, by way of rectifiers, pooling and flattening, output i may be
    divided by any s > 0 that the next layer's input i is multiplied by. s = sqrt(r1 / r2), with r the largest weights
    of that output and that input, gives both the range sqrt(r1 r2) (Nagel et al. 2019, section 4.1); pairs take turns
    until nothing changes. Weights that several layers share stay as they are.
    """
    pairs = list(_pairs(graph))
    tensors = dict(graph.tensors)
    for _ in range(_ROUNDS if pairs else 0):
        largest = max(_equalize_pair(pair, tensors) for pair in pairs)
        if largest < _ENOUGH:
            break
    return replace(graph, tensors=tensors) if pairs else graph


def _pairs(graph: Graph) -> Iterator[_Pair]:
    users: dict[str, list[Node]] = {}
    shared: dict[str, int] = {}
    for node in graph.nodes:
        for name in node_references(node):
            users.setdefault(name, []).append(node)
    for matrix in graph.matrices:
        for name in (matrix.weight, matrix.bias):
            if name is not None:
                shared[name] = shared.get(name, 0) + 1
    for first in graph.nodes:
        if isinstance(first, Matrix) and first.activation in _HOMOGENEOUS and first.codes is None:
            pair = _pair_from(first, users, set(graph.outputs))
            if pair is not None and pair.second.codes is None and _are_own(pair, shared):
                yield pair


def _pair_from(first: Matrix, users: Mapping[str, list[Node]], outputs: set[str]) -> _Pair | None:
    """Follow the outputs while one node alone takes them."""
    node: Node = first
    is_flat = first.window is None  # whether the last axis is of inputs, in the order of outputs
    while node.name not in outputs and len(users.get(node.name, ())) == 1:
        node = users[node.name][0]
        if isinstance(node, Matrix):
            return _Pair(first, node) if (node.window is None) == is_flat else None
        if not isinstance(node, Digital) or not _source_is_first(node):
            return None
        if node.operation == _FLATTEN and not is_flat and tuple(node.args[1:]) == (1,):
            is_flat = True
        elif node.operation not in _BY_CHANNEL or (is_flat and node.operation != _RELU):
            return None
    return None


def _source_is_first(node: Digital) -> bool:
    return isinstance(node.args[0], NodeRef) and len(node_references(node)) == 1


def _are_own(pair: _Pair, shared: Mapping[str, int]) -> bool:
    names = (pair.first.weight, pair.first.bias, pair.second.weight)
    return all(shared[name] == 1 for name in names if name is not None)


def _equalize_pair(pair: _Pair, tensors: dict[str, torch.Tensor]) -> float:
    """Equalise one pair; the largest relative change of a channel, 0 where nothing changed."""
    weight, following = tensors[pair.first.weight].detach(), tensors[pair.second.weight].detach()
    outputs = weight.flatten(1).abs().amax(1).double()
    inputs = _by_input(following, pair.second.groups)
    if inputs.shape[0] % len(outputs):
        return 0.0
    repeats = inputs.shape[0] // len(outputs)
    ranges = inputs.flatten(1).abs().amax(1).double().view(len(outputs), repeats).amax(1)
    factor = (outputs / ranges.clamp(min=1e-30)).sqrt()
    factor = torch.where((outputs > 0) & (ranges > 0), factor, torch.ones_like(factor))
    divisor = factor.to(weight)
    tensors[pair.first.weight] = weight / divisor.view(-1, *[1] * (weight.dim() - 1))
    if pair.first.bias is not None:
        tensors[pair.first.bias] = tensors[pair.first.bias].detach() / divisor
    scaled = inputs * divisor.repeat_interleave(repeats).view(-1, *[1] * (inputs.dim() - 1))
    tensors[pair.second.weight] = _from_inputs(scaled, following, pair.second.groups)
    return (factor - 1).abs().max().item()


def _by_input(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """[out, in / groups, ...] as [in, out / groups, ...]."""
    split = weight.unflatten(0, (groups, -1))
    return split.transpose(1, 2).flatten(0, 1)


def _from_inputs(by_input: torch.Tensor, like: torch.Tensor, groups: int) -> torch.Tensor:
    """The way back."""
    split = by_input.unflatten(0, (groups, -1))
    return split.transpose(1, 2).flatten(0, 1).contiguous().view(like.shape)
