"""Through time: the loop over the steps of one recurrent layer in one direction."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from crossloom.errors import DataError
from crossloom.graph.nodes import Matrix, Recurrence
from crossloom.graph.recurrent.cells import CELLS, Product, State

Multiply = Callable[[Matrix, Tensor], Tensor]
Recur = Callable[
    [Recurrence, Tensor, Sequence[Tensor | None], Tensor | None, Multiply],
    tuple[Tensor, ...],
]
"""Computes a recurrence from the input's products, the first state, lengths, and a way to multiply."""


def run_recurrence(
    node: Recurrence,
    given: Tensor,
    start: Sequence[Tensor | None],
    lengths: Tensor | None,
    multiply: Multiply,
) -> tuple[Tensor, ...]:
    """The value of a recurrence: outputs of all steps, and the last state, one tensor for each part.

    Args:
        given: the input's products, [time, batch, gate * hidden] or [batch, time, gate * hidden].
        start: the first state, [batch, size] each; None for zeros.
        lengths: how many steps each sequence has, [batch]; None for all.
        multiply: computes the node's matrices.

    Raises:
        DataError: a length that the time axis does not have.
    """
    shape = list(given.shape)
    batch = shape[1 - node.time_axis]
    if given.is_meta:
        outputs = given.new_empty((*shape[:-1], node.sizes[0]))
        return outputs, *(given.new_empty(batch, size) for size in node.sizes)
    if lengths is not None:
        check_lengths(node.name, lengths, shape[node.time_axis])
    state = tuple(
        given.new_zeros(batch, size) if part is None else part.to(given.dtype)
        for part, size in zip(start, node.sizes, strict=True)
    )
    products = [partial(multiply, matrix) for matrix in node.products]
    return run_steps(node.cell, given, state, lengths, products, node.time_axis, node.is_reversed)


def at_once(exact: Multiply) -> Recur:
    """A way to run recurrences in which every matrix multiplies once, for what it meets at all steps.

    What it meets is what `exact` products lead to, `[step, batch, in]` in the order of the steps; what it answers is
    taken for the products of these steps. So a matrix can be looked at as a whole, though not what its errors make of
    later inputs of its own.
    """

    def recur(
        node: Recurrence,
        given: Tensor,
        start: Sequence[Tensor | None],
        lengths: Tensor | None,
        multiply: Multiply,
    ) -> tuple[Tensor, ...]:
        met: dict[str, list[Tensor]] = {matrix.name: [] for matrix in node.products}

        def rehearse(matrix: Matrix, values: Tensor) -> Tensor:
            met[matrix.name].append(values)
            return exact(matrix, values)

        rehearsed = run_recurrence(node, given, start, lengths, rehearse)
        if given.is_meta:
            return rehearsed
        answers = {
            matrix.name: iter(multiply(matrix, torch.stack(met[matrix.name]))) for matrix in node.products
        }
        return run_recurrence(
            node, given, start, lengths, lambda matrix, _: next(answers[matrix.name]).to(given.dtype)
        )

    return recur


def run_steps(
    cell: str,
    given: Tensor,
    state: State,
    lengths: Tensor | None,
    products: Sequence[Product],
    time_axis: int,
    is_reversed: bool,
) -> tuple[Tensor, ...]:
    """As `run_recurrence`, from parts. Where a sequence has ended its state stays, and outputs are zero."""
    step, times = CELLS[cell].step, given.unbind(time_axis)
    order = range(len(times))
    runs = None if lengths is None else _running(lengths.to(given.device), len(times))
    outputs = list(times)
    for time in reversed(order) if is_reversed else order:
        after = step(times[time], state, products)
        if runs is None:
            outputs[time], state = after[0], after
        else:
            outputs[time] = torch.where(runs[time], after[0], 0.0)
            state = tuple(torch.where(runs[time], new, old) for new, old in zip(after, state, strict=True))
    return torch.stack(outputs, time_axis), *state


def check_lengths(name: str, lengths: Tensor, longest: int) -> None:
    """DataError unless all lengths are from 0 to `longest`."""
    low, high = (int(bound) for bound in torch.aminmax(lengths))
    if low < 0 or high > longest:
        raise DataError(
            f"{name}: lengths must be from 0 to the {longest} steps of its input, got {low} to {high}; shorten the "
            "sequences, or give an input with more steps"
        )


def _running(lengths: Tensor, num_steps: int) -> Tensor:
    """Whether a sequence has a step, [time, batch, 1]."""
    return (torch.arange(num_steps, device=lengths.device).unsqueeze(1) < lengths).unsqueeze(-1)
