"""How many input vectors every matrix operation meets for one sample."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, prod

from crossloom.graph import Graph, measure_shapes


def vectors_per_sample(graph: Graph) -> Mapping[str, int]:
    """Input vectors per sample of every matrix operation: positions of a window, tokens, frames.

    Shapes are measured for one sample, or for the batch that the model fixes; what samples share counts for
    each of them in part, rounded up.
    """
    shapes = measure_shapes(graph)
    first = graph.inputs[0].shape if graph.inputs else ()
    num_samples = (first[0] or 1) if first else 1
    return {
        node.name: ceil(Fraction(_num_vectors(shapes[node.name], node.window is not None), num_samples))
        for node in graph.matrices
    }


def _num_vectors(shape: tuple[int, ...], has_window: bool) -> int:
    return shape[0] * prod(shape[2:]) if has_window else prod(shape[:-1])
