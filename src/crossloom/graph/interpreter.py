"""The float interpreter: what a graph means."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from crossloom.errors import GraphError, UnsupportedOperationError
from crossloom.graph.arguments import decode_constant
from crossloom.graph.checks import check_inputs
from crossloom.graph.matrix import ACTIVATIONS, LocatedTensors, MatrixFunction, float_matrix
from crossloom.graph.nodes import (
    Graph,
    Input,
    Matrix,
    Node,
    NodeRef,
    Recurrence,
    TensorRef,
    TorchConstant,
    matrices_of,
)
from crossloom.graph.operations import resolve_operation
from crossloom.graph.recurrent.cells import CELLS
from crossloom.graph.recurrent.running import Recur, run_recurrence
from crossloom.graph.references import map_leaves, node_references, tensor_references

Observe = Callable[[Node, Tensor], None]


@dataclass(frozen=True)
class _Step:
    """One node, ready to run; `done` names the values that nobody needs afterwards."""

    node: Node
    function: Callable[..., Any] | None
    done: tuple[str, ...]


class Interpreter:
    """A graph made ready to run many batches; stored tensors move to a device once.

    Gradients flow where the caller enables them. Inputs are trusted: `check_inputs` checks them.

    Raises:
        UnsupportedOperationError: a node names an operation that is not allowed.
        GraphError: a node uses a value or a tensor that does not exist.
    """

    def __init__(
        self, graph: Graph, matrix: MatrixFunction | None = None, recur: Recur = run_recurrence
    ) -> None:
        self._graph, self._recur = graph, recur
        self._matrix = matrix or float_matrix(graph)
        self._steps = _compile(graph)
        self._located: dict[torch.device, LocatedTensors] = {}

    def __call__(
        self, inputs: tuple[Tensor, ...], *, stop_at: str | None = None, observe: Observe | None = None
    ) -> tuple[Tensor, ...]:
        """The graph's outputs, or the value of `stop_at` (see `interpret`)."""
        names = [node.name for node in self._graph.inputs]
        if len(names) != len(inputs):
            raise GraphError(f"the graph takes {len(names)} inputs {names}, got {len(inputs)}")
        last = None if stop_at is None else find_node(self._graph, stop_at).name
        device = inputs[0].device if inputs else torch.device("cpu")
        tensors = self._located.setdefault(device, LocatedTensors(self._graph.tensors, device))
        values: dict[str, Any] = dict(zip(names, inputs, strict=True))
        for step in self._steps:
            name = step.node.name
            values[name] = self._run(step, values, tensors, device)
            if observe and isinstance(values[name], Tensor):
                observe(step.node, values[name])
            if name == last:
                return values[name] if isinstance(values[name], tuple) else (values[name],)
            for finished in step.done:
                del values[finished]
        return tuple(values[name] for name in self._graph.outputs)

    def _run(self, step: _Step, values: dict[str, Any], tensors: LocatedTensors, device: torch.device) -> Any:
        node = step.node
        if isinstance(node, Input):
            return values[node.name]
        if isinstance(node, Matrix):
            return self._matrix(node, values[node.source])

        def load(leaf: Any) -> Any:
            if isinstance(leaf, NodeRef):
                return values[leaf.name]
            if isinstance(leaf, TensorRef):
                return tensors[leaf.name]
            return decode_constant(leaf, device) if isinstance(leaf, TorchConstant) else leaf

        if isinstance(node, Recurrence):
            start, lengths = map_leaves(load, node.start), load(node.lengths)
            return self._recur(node, values[node.source], start, lengths, self._matrix)
        assert step.function is not None
        try:
            kwargs = {key: map_leaves(load, value) for key, value in node.kwargs}
            return step.function(*map_leaves(load, node.args), **kwargs)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            raise GraphError(f"node {node.name!r} ({node.operation}) failed: {error}") from error


def interpret(
    graph: Graph,
    inputs: tuple[Tensor, ...],
    matrix: MatrixFunction | None = None,
    stop_at: str | None = None,
    observe: Observe | None = None,
) -> tuple[Tensor, ...]:
    """Check the inputs and run the graph once; for many batches make an `Interpreter`.

    Args:
        inputs: `[batch, ...]` each, on one device.
        matrix: computes the matrix nodes; `float_matrix(graph)` if None.
        stop_at: a node, or a layer (its last node), whose value to return instead of the outputs.
        observe: called with every node and its value, when that is a tensor.

    Raises:
        DataError: the inputs do not fit the graph.
        GraphError: `stop_at` is unknown, or an operation failed.
    """
    check_inputs(graph, inputs)
    return Interpreter(graph, matrix)(inputs, stop_at=stop_at, observe=observe)


def find_node(graph: Graph, name: str) -> Node:
    """The node of this name, or the last node of the layer of this name.

    Raises:
        GraphError: there is neither; names the nearest.
    """
    layers: dict[str, Node] = {}
    for node in graph.nodes:
        if node.name == name:
            return node
        parts = () if isinstance(node, Input) else node.layer.split(".")
        layers |= {".".join(parts[: depth + 1]): node for depth in range(len(parts))}
    if name and name in layers:
        return layers[name]
    known = [node.name for node in graph.nodes] + [layer for layer in layers if layer]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
    raise GraphError(f"no node or layer {name!r}; the nearest are {', '.join(map(repr, near))}")


def _compile(graph: Graph) -> tuple[_Step, ...]:
    known: set[str] = set()
    last_use = {node.name: node.name for node in graph.nodes}
    for node in graph.nodes:
        _check_references(node, known, graph.tensors)
        known.add(node.name)
        last_use |= dict.fromkeys(node_references(node), node.name)
    if missing := set(graph.outputs) - known:
        raise GraphError(f"the graph's outputs {sorted(missing)} are no nodes of it")
    done: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for used, user in last_use.items():
        if used not in graph.outputs:
            done[user].append(used)
    return tuple(_Step(node, _function(node), tuple(done[node.name])) for node in graph.nodes)


def _check_references(node: Node, known: set[str], tensors: Mapping[str, Tensor]) -> None:
    if node.name in known:
        raise GraphError(f"two nodes are called {node.name!r}; names must be unique")
    missing = set(node_references(node)) - known | set(tensor_references(node)) - tensors.keys()
    if missing:
        raise GraphError(
            f"node {node.name!r} uses {sorted(missing)}, which come neither before it nor are stored"
        )
    for matrix in matrices_of(node):
        if matrix.activation not in (None, *ACTIVATIONS):
            raise UnsupportedOperationError(
                f"node {matrix.name!r} has activation {matrix.activation!r}; known are {', '.join(ACTIVATIONS)}"
            )
    if isinstance(node, Recurrence) and node.cell not in CELLS:
        raise UnsupportedOperationError(
            f"node {node.name!r} has cell {node.cell!r}; known are {', '.join(CELLS)}"
        )


def _function(node: Node) -> Callable[..., Any] | None:
    if isinstance(node, Input | Matrix | Recurrence):
        return None
    try:
        return resolve_operation(node.operation)
    except UnsupportedOperationError as error:
        raise UnsupportedOperationError(f"node {node.name!r}: {error}") from None
