"""One recurrent layer in one direction: the input's products at once, the state's step by step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from crossloom.training.analog import AnalogMatrix
from crossloom.training.recurrent.gates import Gates, State

Product = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Operation:
    """A matrix on macros with its weight [output, input] and bias [output], or None."""

    matrix: AnalogMatrix
    weight: torch.Tensor
    bias: torch.Tensor | None = None

    def ready(self) -> Product:
        """The product with cells that are drawn now, once for all steps."""
        return partial(self._read, self.matrix.hold(self.weight))

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """The product, by cells of its own; the first batch sets the steps."""
        return self._biased(self.matrix(values, self.weight))

    def _read(self, held, values: torch.Tensor) -> torch.Tensor:
        return self._biased(self.matrix.read(values, held))

    def _biased(self, products: torch.Tensor) -> torch.Tensor:
        return products if self.bias is None else products + self.bias.to(products.dtype)


@dataclass(frozen=True)
class Recurrence:
    """The operations of one layer and direction.  project: of an LSTM with `proj_size`."""

    gates: Gates
    recur: Operation
    project: Operation | None = None

    def step(self, recur: Product, project: Product | None, given: torch.Tensor, state: State) -> State:
        """The next state, from the input's products with their bias [sequence, gate * hidden]."""
        state = self.gates(given, recur(state[0]), state)
        return state if project is None else (project(state[0]), *state[1:])

    def begin(self, given: Sequence[torch.Tensor], start: State, is_reversed: bool = False) -> None:
        """Set the steps of the state's matrices by all states of a rehearsal with exact products."""
        operations = [self.recur] if self.project is None else [self.recur, self.project]
        if all(operation.matrix.is_ready for operation in operations):
            return
        rehearsed = [_Rehearsal(operation) for operation in operations]
        with torch.no_grad():
            step = partial(self.step, rehearsed[0], rehearsed[1] if self.project else None)
            _, end = run(step, given, start, is_reversed)
            rehearsed[0].met.append(end[0])  # sequences of one step begin with nothing but zeros
            for rehearsal in rehearsed:
                rehearsal.operation.matrix.begin(torch.cat(rehearsal.met), rehearsal.operation.weight)

    def __call__(
        self, given: Sequence[torch.Tensor], start: State, is_reversed: bool = False
    ) -> tuple[torch.Tensor, State]:
        """Outputs [vector, hidden] and the last state of every sequence; see `run`."""
        self.begin(given, start, is_reversed)
        project = self.project and self.project.ready()
        return run(partial(self.step, self.recur.ready(), project), given, start, is_reversed)


class _Rehearsal:
    """An exact product that remembers what it met."""

    def __init__(self, operation: Operation) -> None:
        self.operation, self.met = operation, []

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        self.met.append(values)
        operation = self.operation
        bias = None if operation.bias is None else operation.bias.to(values)
        return functional.linear(values, operation.weight.to(values), bias)


def run(
    step: Callable[[torch.Tensor, State], State],
    given: Sequence[torch.Tensor],
    start: State,
    is_reversed: bool = False,
) -> tuple[torch.Tensor, State]:
    """Go through time. Sequences are sorted, longest first, so that those that still run are always the first.

    given: for every time, [sequences that run, ...].  start: of all sequences.  Gives the hidden states in the order of
    `given`, [vector, hidden], and every sequence's last state.
    """
    outputs, state, ended = [], start, []
    if is_reversed:
        state = tuple(part[: len(given[-1])] for part in start)
    for products in reversed(given) if is_reversed else given:
        num_running, before = len(products), len(state[0])
        if num_running < before:
            ended.append(tuple(part[num_running:] for part in state))
            state = tuple(part[:num_running] for part in state)
        elif num_running > before:
            begun = (part[before:num_running] for part in start)
            state = tuple(torch.cat(parts) for parts in zip(state, begun, strict=True))
        state = step(products, state)
        outputs.append(state[0])
    if is_reversed:
        outputs.reverse()
    last = tuple(torch.cat(parts) for parts in zip(state, *reversed(ended), strict=True))
    return torch.cat(outputs), last
