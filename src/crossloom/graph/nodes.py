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
    """One input of the graph. `shape` has None where an axis is dynamic (the batch, first of all)."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@saved
@dataclass(frozen=True)
class Matrix:
    """A matrix operation that crossbars can do: linear, or a convolution of 1 to 3 axes.

    `weight` names a tensor `[out, in]` (linear) or `[out, in / groups, *kernel]` (convolution);
    `bias` one of `[out]`. `window` is None for linear. `activation` is the name of the digital
    operation that follows (`"relu"`), or None. `shape` is the output's, None where dynamic.
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


@saved
@dataclass(frozen=True)
class Digital:
    """Any other operation, run by torch on the digital unit.

    `operation` is `"aten.<name>.<overload>"`, `"getitem"`, or `"sym.<operator>"` for arithmetic on sizes.
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
Node = Input | Matrix | Digital


@saved
@dataclass(frozen=True)
class Graph(Artefact):
    """A model as a tuple of nodes in an order in which they can run.

    `outputs` are names of nodes; `single_output` tells a bare tensor from a tuple of one. `tensors`
    holds weights, biases and constants by name.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    single_output: bool
    tensors: Mapping[str, torch.Tensor] = field(repr=False)

    @property
    def inputs(self) -> tuple[Input, ...]:
        return tuple(node for node in self.nodes if isinstance(node, Input))

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        return tuple(node for node in self.nodes if isinstance(node, Matrix))

    def summary(self) -> str:
        """How many nodes of which kind."""
        num_digital = sum(isinstance(node, Digital) for node in self.nodes)
        return f"Graph: {len(self.matrices)} matrix operations, {num_digital} digital operations"
