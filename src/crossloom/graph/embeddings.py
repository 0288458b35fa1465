"""A pass that turns look-ups in a stored table into products with it."""

from dataclasses import dataclass

from crossloom.errors import GraphError
from crossloom.graph.names import unique_name
from crossloom.graph.nodes import Digital, Graph, Matrix, Node, NodeRef, TensorRef, TorchConstant
from crossloom.graph.references import rename_references
from crossloom.registry import did_you_mean

_LOOKUP = "aten.embedding.default"


@dataclass(frozen=True)
class OneHotEmbeddings:
    """Embeddings as matrices: the table's rows lie in memory, and a token is an input that is one in its place.

    layers: the embeddings, by layer or node. All others stay look-ups on the digital unit.

    Raises:
        GraphError: no embedding is called so.
    """

    layers: tuple[str, ...]

    def __call__(self, graph: Graph) -> Graph:
        found = [node for node in graph.nodes if isinstance(node, Digital) and _is_lookup(node)]
        known = [node.layer or node.name for node in found]
        for name in self.layers:
            if name not in (*known, *(node.name for node in found)):
                raise GraphError(f"no embedding is called {name!r}; {did_you_mean(name, known)}")
        tensors, renamed = dict(graph.tensors), dict[str, str]()
        nodes: dict[str, Node] = {}
        for old in graph.nodes:
            node = rename_references(old, renamed)
            made: tuple[Node, ...] = (node,)
            if isinstance(node, Digital) and _is_lookup(node) and {node.layer, node.name} & set(self.layers):
                taken = {other.name for other in graph.nodes} - {old.name} | nodes.keys()
                made = _as_product(node, taken, tensors)
                renamed[old.name] = made[-1].name
            nodes |= {each.name: each for each in made}
        outputs = tuple(renamed.get(name, name) for name in graph.outputs)
        return Graph(tuple(nodes.values()), outputs, graph.single_output, tensors)


def _is_lookup(node: Digital) -> bool:
    return (
        node.operation == _LOOKUP
        and isinstance(node.args[0], TensorRef)
        and isinstance(node.args[1], NodeRef)
    )


def _as_product(node: Digital, taken: set[str], tensors: dict) -> tuple[Digital, Digital, Digital, Matrix]:
    """Tokens [...] to ones [..., number of rows], times the table."""
    table, layer = tensors[node.args[0].name], node.layer
    stored = f"{node.args[0].name}.transposed"
    tensors[stored] = table.t().contiguous()
    assert node.shape is not None
    name = unique_name(layer or node.name, taken)
    tokens, shape = node.shape[:-1], (*node.shape[:-1], len(table))
    long, dtype = (
        (("dtype", TorchConstant("dtype", kind)),) for kind in ("int64", str(table.dtype).split(".")[-1])
    )
    copy = "aten._to_copy.default"
    whole = Digital(f"{name}.tokens", copy, (node.args[1],), long, layer, tokens)
    ones = Digital(
        f"{name}.one_hot", "aten.one_hot.default", (NodeRef(whole.name), len(table)), (), layer, shape
    )
    values = Digital(f"{name}.values", copy, (NodeRef(ones.name),), dtype, layer, shape)
    matrix = Matrix(name, values.name, stored, None, None, 1, None, layer, node.shape)
    return whole, ones, values, matrix
