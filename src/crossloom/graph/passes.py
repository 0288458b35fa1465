"""Passes that leave out what computes nothing, and `simplify`, which runs every pass."""

from collections.abc import Callable
from dataclasses import dataclass

from crossloom.graph.fusion import FoldBatchNorm, FuseActivation, FuseBias
from crossloom.graph.nodes import Digital, Graph, Input, Node, NodeRef
from crossloom.graph.references import node_references, rename_references, tensor_references
from crossloom.graph.shuffles import PassShuffles

Pass = Callable[[Graph], Graph]
Shape = tuple[int | None, ...]

_COPIES = frozenset(
    f"aten.{name}.default" for name in ("alias", "clone", "contiguous", "detach", "lift", "lift_fresh_copy")
)
_RESHAPES = frozenset(
    f"aten.{name}"
    for name in (
        "expand.default", "flatten.using_ints", "reshape.default", "squeeze.default", "squeeze.dim",
        "squeeze.dims", "unflatten.int", "view.default",
    )
)  # fmt: skip
_DROPOUTS = frozenset(f"aten.{name}.default" for name in ("alpha_dropout", "dropout", "feature_dropout"))
_SLICE = "aten.slice.Tensor"
_LAST = 2**63 - 1


@dataclass(frozen=True)
class RemoveIdentities:
    """Leaves out operations that give their input back: copies, dropout in eval, reshapes to equal shapes."""

    def __call__(self, graph: Graph) -> Graph:
        shapes = {node.name: node.shape for node in graph.nodes}
        renamed: dict[str, str] = {}
        kept: list[Node] = []
        for old in graph.nodes:
            node = rename_references(old, renamed)
            if isinstance(node, Digital) and _is_identity(node, shapes):
                renamed[node.name] = node.args[0].name
            else:
                kept.append(node)
        outputs = tuple(renamed.get(name, name) for name in graph.outputs)
        return Graph(tuple(kept), outputs, graph.single_output, graph.tensors)


def _is_identity(node: Digital, shapes: dict[str, Shape | None]) -> bool:
    if not node.args or not isinstance(node.args[0], NodeRef):
        return False
    if node.operation in _COPIES:
        return True
    if node.operation in _DROPOUTS:
        return node.args[2] is False
    if node.operation == _SLICE:
        _, _, start, end, step = (*node.args, *(0, None, None, 1)[len(node.args) - 1 :])
        return start in (None, 0) and end in (None, _LAST) and step == 1 and not node.kwargs
    before = shapes[node.args[0].name]
    # Two dynamic axes could change places; one cannot change at all.
    one_dynamic = node.shape is not None and node.shape.count(None) <= 1
    return node.operation in _RESHAPES and one_dynamic and before == node.shape


@dataclass(frozen=True)
class RemoveDead:
    """Leaves out nodes whose value nobody uses (inputs stay) and tensors that no node names."""

    def __call__(self, graph: Graph) -> Graph:
        alive = set(graph.outputs)
        kept: list[Node] = []
        for node in reversed(graph.nodes):
            if node.name in alive or isinstance(node, Input):
                kept.append(node)
                alive.update(node_references(node))
        used = {name for node in kept for name in tensor_references(node)}
        tensors = {name: tensor for name, tensor in graph.tensors.items() if name in used}
        return Graph(tuple(reversed(kept)), graph.outputs, graph.single_output, tensors)


SIMPLIFICATIONS: tuple[Pass, ...] = (
    RemoveIdentities(),
    PassShuffles(),
    FoldBatchNorm(),
    FuseBias(),
    FuseActivation(),
    RemoveDead(),
)
"""The passes of `simplify`, in order."""


def simplify(graph: Graph) -> Graph:
    """The same function in fewer nodes: every pass, again and again until none changes anything."""
    while True:
        before = graph.nodes
        for simplification in SIMPLIFICATIONS:
            graph = simplification(graph)
        if graph.nodes == before:
            return graph
