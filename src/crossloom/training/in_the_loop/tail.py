"""The part of a graph that training changes, cut off from what stays."""

from dataclasses import dataclass, replace

from crossloom.graph import Digital, Graph, Input, Node, Recurrence, matrices_of, node_references


@dataclass(frozen=True)
class Tail:
    """A graph that starts at values that no trained layer changes.

    frontier: names of those values in the whole graph; the graph's inputs in this order.  changing: the trained
    matrices, and everything that depends on one.
    """

    graph: Graph
    frontier: tuple[str, ...]
    changing: frozenset[str]


def cut_tail(graph: Graph, trained: frozenset[str]) -> Tail:
    """What depends on a `trained` matrix, with everything else that it uses as inputs.

    Where values have no axis of samples in front, or no tensor comes before the first trained matrix, this is the
    whole graph.
    """
    nodes = {node.name: node for node in graph.nodes}
    live: set[str] = set()
    for node in graph.nodes:
        held = {matrix.name for matrix in matrices_of(node)}
        if held & trained or any(name in live for name in node_references(node)):
            live |= {node.name, *held}
    changing = frozenset(live)
    frontier = _frontier(graph, nodes, live)
    if not all(_has_samples_in_front(nodes[name]) for name in frontier):
        return Tail(graph, tuple(node.name for node in graph.inputs), changing)
    inputs = tuple(_as_input(nodes[name]) for name in frontier)
    kept = tuple(node for node in graph.nodes if node.name in live and not isinstance(node, Input))
    return Tail(replace(graph, nodes=(*inputs, *kept)), frontier, changing)


def _frontier(graph: Graph, nodes: dict[str, Node], live: set[str]) -> tuple[str, ...]:
    """Tensors that live nodes use and that are not live; sizes and tuples become live on the way."""
    found: set[str] = {name for name in graph.outputs if name not in live}
    waiting = [name for name in live if name in nodes]
    while waiting:
        for name in node_references(nodes[waiting.pop()]):
            if name in live:
                continue
            if isinstance(nodes[name], Digital | Recurrence) and nodes[name].shape is None:
                live.add(name)
                waiting.append(name)
            else:
                found.add(name)
    return tuple(node.name for node in graph.nodes if node.name in found)


def _as_input(node: Node) -> Input:
    assert node.shape is not None
    return node if isinstance(node, Input) else Input(node.name, node.shape, "float32")


def _has_samples_in_front(node: Node) -> bool:
    return bool(node.shape) and node.shape[0] is None  # type: ignore[index]
