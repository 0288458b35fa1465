"""Operations by their ONNX name: on tensors, on sizes, and the forms of them that are refused."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crossloom.graph.onnx.steps import Constants, OnnxNode

Refusal = Callable[[OnnxNode, Constants], str | None]


@dataclass(frozen=True)
class Operation:
    """How a node is run on tensors.

    `function(step, *operands)` gives a tensor, or several if `num_outputs` is None. Operands at the positions
    `fixed` arrive as arrays of sizes, axes or scales and must not depend on data. `takes_numbers`: constants
    without axes arrive as plain numbers. `roles` names the weights among the operands, as PyTorch names them.
    """

    function: Callable[..., Any]
    fixed: frozenset[int]
    takes_numbers: bool
    num_outputs: int | None
    roles: tuple[str, ...]

    def role(self, position: int) -> str:
        """What PyTorch calls the weight at this position; empty if it is no weight."""
        return self.roles[position] if position < len(self.roles) else ""


OPERATIONS: dict[str, Operation] = {}
SIZE_OPERATIONS: dict[str, Callable[..., Any]] = {}
REFUSALS: dict[str, Refusal] = {}


def operation(
    *names: str,
    fixed: tuple[int, ...] = (),
    takes_numbers: bool = False,
    num_outputs: int | None = 1,
    roles: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function on tensors under these ONNX names."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        entry = Operation(function, frozenset(fixed), takes_numbers, num_outputs, roles)
        OPERATIONS.update(dict.fromkeys(names, entry))
        return function

    return register


def size_operation(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function on arrays of sizes under these ONNX names."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        SIZE_OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return register


def refusal(*names: str) -> Callable[[Refusal], Refusal]:
    """Register a function that says why a node of these ONNX names is refused, or gives None."""

    def register(function: Refusal) -> Refusal:
        REFUSALS.update(dict.fromkeys(names, function))
        return function

    return register
