"""A pass that takes batch norms and rectifiers to the matrix whose phases are put beside one another after it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import torch

from crossloom.graph.names import unique_name
from crossloom.graph.nodes import Digital, Graph, Matrix, Node, NodeRef, TensorRef
from crossloom.graph.references import count_uses, rename_references

_RELU, _NORM = "aten.relu.default", "aten.batch_norm.default"


@dataclass(frozen=True)
class PassShuffles:
    """Does per value and per channel what came after a transposed convolution's shuffle before it.

    Phases are channels there, so each channel's parameters are repeated for all its phases. Folding and fusing then
    find the matrix next to the operation.
    """

    def __call__(self, graph: Graph) -> Graph:
        uses, nodes = count_uses(graph), {node.name: node for node in graph.nodes}
        for node in graph.nodes:
            if isinstance(node, Digital) and node.operation in (_RELU, _NORM):
                chain = _shuffle_before(node, nodes, uses)
                if chain and _may_pass(node, graph.tensors):
                    return self(_passed(graph, node, chain, nodes))
        return graph


def _shuffle_before(node: Digital, nodes: Mapping[str, Node], uses: Counter[str]) -> list[Digital]:
    """The moves between a convolution and `node`, first to last; none where they are no shuffle."""
    chain: list[Digital] = []
    before = _source(node, nodes)
    while isinstance(before, Digital) and uses[before.name] == 1 and _keeps_channels(before):
        chain.insert(0, before)
        before = _source(before, nodes)
    if not isinstance(before, Matrix) or before.window is None or before.activation is not None:
        return []
    return chain if uses[before.name] == 1 else []


def _source(node: Digital, nodes: Mapping[str, Node]) -> Node | None:
    first = node.args[0] if node.args else None
    return nodes.get(first.name) if isinstance(first, NodeRef) else None


def _keeps_channels(node: Digital) -> bool:
    """Whether axis 1 is of channels still, and nothing is filled in."""
    args = node.args[1:]
    if node.operation == "aten.unflatten.int":
        return args[0] == 1
    if node.operation == "aten.permute.default":
        return tuple(args[0][:2]) == (0, 1)
    if node.operation == "aten.flatten.using_ints":
        return args[0] >= 2
    return node.operation == "aten.constant_pad_nd.default" and max(args[0]) <= 0


def _may_pass(node: Digital, tensors: Mapping[str, torch.Tensor]) -> bool:
    if node.operation == _RELU:
        return True
    plain = all(arg is None or isinstance(arg, TensorRef) for arg in node.args[1:5])
    return plain and node.args[3] is not None and node.args[5] is False


def _passed(graph: Graph, node: Digital, chain: list[Digital], nodes: Mapping[str, Node]) -> Graph:
    host, tensors = _source(chain[0], nodes), dict(graph.tensors)
    assert isinstance(host, Matrix)
    repeats = prod(prod(move.args[2][1:]) for move in chain if move.operation == "aten.unflatten.int")
    parameters = tuple(_repeated(arg, repeats, tensors) for arg in node.args[1:])
    earlier = replace(node, args=(NodeRef(host.name), *parameters), shape=host.shape)
    kept: list[Node] = []
    for old in graph.nodes:
        if old is chain[0]:
            kept += [earlier, rename_references(old, {host.name: node.name})]
        elif old is not node:
            kept.append(rename_references(old, {node.name: chain[-1].name}))
    outputs = tuple(chain[-1].name if name == node.name else name for name in graph.outputs)
    return Graph(tuple(kept), outputs, graph.single_output, tensors)


def _repeated(parameter: object, repeats: int, tensors: dict[str, torch.Tensor]) -> object:
    """A stored parameter of every channel, once for each phase."""
    if not isinstance(parameter, TensorRef) or repeats == 1:
        return parameter
    name = unique_name(f"{parameter.name}.phases", tensors)
    tensors[name] = tensors[parameter.name].repeat_interleave(repeats)
    return TensorRef(name)
