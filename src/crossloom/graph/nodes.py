"""The small frozen graph: inputs, matrix operations, and digital operations by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.windows import Window


@saved
@dataclass(frozen=True)
class NodeRef:
    """The value of another node, as an argument."""

    name: str


@saved
@dataclass(frozen=True)
class TensorRef:
    """A stored tensor (parameter, buffer or constant of the graph), as an argument."""

    name: str


@saved
@dataclass(frozen=True)
class TorchConstant:
    """A plain value that JSON cannot hold, as an argument.

    `kind` and `value` are one of: `"dtype"`, `"layout"`, `"memory_format"` with the name that torch gives
    it (`"float32"`); `"float"` with `"inf"`, `"-inf"` or `"nan"`; `"complex"` with its text; `"device"`
    with `"input"`, which is wherever the graph's first input lives.
    """

    kind: str
    value: str


@saved
@dataclass(frozen=True)
class Input:
    """One input of the graph. `shape` has None where an axis is dynamic (the batch, first of all).

    `bounds` are the greatest lengths of dynamic axes, None for an axis without one; () where no axis has one.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    bounds: tuple[int | None, ...] = ()

    def sizes(self, batch_size: int) -> tuple[int, ...]:
        """A real shape: dynamic axes as long as they may be, those without a bound `batch_size`."""
        bounds = self.bounds or (None,) * len(self.shape)
        return tuple(
            (bound or batch_size) if size is None else size
            for size, bound in zip(self.shape, bounds, strict=True)
        )


@saved
@dataclass(frozen=True)
class StoredCodes:
    """What a stored tensor was before the model multiplied it by its step: whole numbers up to `highest`.

    step: names a tensor, of one number, or of one for each place along an axis.
    """

    step: str
    highest: int


@saved
@dataclass(frozen=True)
class Matrix:
    """A matrix operation that crossbars can do: linear, or a convolution of 1 to 3 axes.

    `weight` names a tensor `[out, in]` (linear) or `[out, in / groups, *kernel]` (convolution);
    `bias` one of `[out]`. `window` is None for linear. `activation` is the name of the digital
    operation that follows (`"relu"`), or None. `shape` is the output's, None where dynamic. `codes` tells of which
    codes the model itself made the weight, if it did.
    """

    name: str
    source: str
    weight: str
    bias: str | None
    window: Window | None
    groups: int
    activation: str | None
    layer: str
    shape: tuple[int | None, ...]
    codes: StoredCodes | None = None


@saved
@dataclass(frozen=True)
class Recurrence:
    """A recurrent layer in one direction, run step by step: products with its state in memory, gates and state digital.

    cell: `"lstm"`, `"gru"`, `"gru_reset_first"`, `"rnn_tanh"` or `"rnn_relu"`.
    source: the node of the input's products, of all steps at once: `[time, batch, gate * hidden]`, or
        `[batch, time, ...]` where `time_axis` is 1.
    start: the first state, for every part of it a value `[batch, size]`, or None for zeros.
    sizes: of the parts of the state: hidden, and an LSTM's cell.
    products: the matrices that the state meets at every step: its gates, then an LSTM's projection, or the new gate
        where a GRU resets first. Their source is this node.
    lengths: how many steps each sequence has, `[batch]`; None for all.

    Its value is a tuple: the outputs of all steps, laid out as `source` is, and each part of the last state.
    """

    name: str
    cell: str
    source: str
    start: tuple[NodeRef | TensorRef | None, ...]
    sizes: tuple[int, ...]
    products: tuple[Matrix, ...]
    lengths: NodeRef | TensorRef | None
    time_axis: int
    is_reversed: bool
    layer: str
    shape: None = None


@saved
@dataclass(frozen=True)
class Digital:
    """Any other operation, run by torch on the digital unit.

    `operation` is `"aten.<name>.<overload>"`, `"getitem"`, `"sym.<operator>"` for arithmetic on sizes, or one of ours
    (`"crossloom.<name>.default"`).
    `args` and `kwargs` nest tuples of `NodeRef`, `TensorRef`, `TorchConstant`, None, bool, int, float and
    str. `shape` is None for a tuple or a size; its entries are None where dynamic.
    """

    name: str
    operation: str
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]
    layer: str
    shape: tuple[int | None, ...] | None


saved(Window)
Node = Input | Matrix | Recurrence | Digital


def matrices_of(node: Node) -> tuple[Matrix, ...]:
    """The matrix operations that a node is, or holds."""
    if isinstance(node, Recurrence):
        return node.products
    return (node,) if isinstance(node, Matrix) else ()


@saved
@dataclass(frozen=True)
class Graph(Artefact):
    """A model as a tuple of nodes in an order in which they can run.

    `outputs` are names of nodes; `single_output` tells a bare tensor from a tuple of one. `tensors`
    holds weights, biases and constants by name.
    """

    nodes: tuple[Node, ...] = field(repr=False)
    outputs: tuple[str, ...]
    single_output: bool
    tensors: Mapping[str, torch.Tensor] = field(repr=False)

    @property
    def inputs(self) -> tuple[Input, ...]:
        return tuple(node for node in self.nodes if isinstance(node, Input))

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """All matrix operations, those within recurrences too, in an order in which they can run."""
        return tuple(matrix for node in self.nodes for matrix in matrices_of(node))

    def summary(self) -> str:
        """How many nodes of which kind."""
        num_digital = sum(isinstance(node, Digital) for node in self.nodes)
        return f"Graph: {len(self.matrices)} matrix operations, {num_digital} digital operations"
