"""What it would take to write products of two activations into crossbars: cells written anew for every sample.

Such products stay on the digital unit. Here is the price of the other way, to be held against the endurance of cells.
"""

from dataclasses import dataclass
from math import prod

from crossloom.graph import Digital, NodeRef, TensorRef, measure_shapes
from crossloom.mapping.map_graph import MappedGraph
from crossloom.mapping.scheme import Scheme, make_scheme

_WRITTEN = {
    "matmul": (1,),
    "mm": (1,),
    "bmm": (1,),
    "mv": (0,),
    "addmm": (2,),
    "baddbmm": (2,),
    "addbmm": (2,),
    "linear": (1,),
    "scaled_dot_product_attention": (1, 2),
}
"""The operands that would lie in cells; the others would be inputs."""
_USUAL_BITS = 8


@dataclass(frozen=True)
class ActivationWrites:
    """A product of two activations. values: numbers that become weights anew for every sample.  cells: that hold them.

    Every sample writes each of these cells once, so that cells which endure n writes last for n samples.
    """

    name: str
    layer: str
    values: int
    cells: int


def activation_writes(mapped: MappedGraph) -> tuple[ActivationWrites, ...]:
    """The writes of every product of two activations, if the second were written into cells as weights are.

    Values take the encoding, slicing and copies that the configuration gives all layers, and the bits of the widest
    weights. Attention writes keys and values. Sequences count at their greatest length.
    """
    graph = mapped.quantized.graph
    shapes = measure_shapes(graph)
    first = graph.inputs[0].shape if graph.inputs else ()
    num_samples = (first[0] or 1) if first else 1
    bits = max((layer.weight_bits for layer in mapped.quantized.layers.values()), default=_USUAL_BITS)
    per_value = _cells_per_value(make_scheme(mapped.config, bits, mapped.macro))
    found = []
    for node in graph.nodes:
        names = _written(node) if isinstance(node, Digital) else ()
        if names and all(name in shapes for name in names):
            assert isinstance(node, Digital)
            values = sum(prod(shapes[name]) for name in names) // num_samples
            found.append(ActivationWrites(node.name, node.layer, values, values * per_value))
    return tuple(found)


def _cells_per_value(scheme: Scheme) -> int:
    per_output = len(scheme.coefficients) * scheme.columns_per_output
    return scheme.rows_per_input * per_output * scheme.copies


def _written(node: Digital) -> tuple[str, ...]:
    """The nodes whose values would lie in cells; none where an operand is stored."""
    parts = node.operation.split(".")
    if parts[1:2] == ["einsum"]:
        operands = node.args[1]
        is_plain = all(isinstance(operand, NodeRef) for operand in operands)
        return tuple(operand.name for operand in operands[1:]) if is_plain else ()
    places = _WRITTEN.get(parts[1], ()) if parts[0] == "aten" else ()
    is_stored = any(isinstance(arg, TensorRef) for arg in node.args[: max(places, default=0) + 1])
    operands = [node.args[place] for place in places if place < len(node.args)]
    if is_stored or not all(isinstance(operand, NodeRef) for operand in operands):
        return ()
    return tuple(operand.name for operand in operands)
