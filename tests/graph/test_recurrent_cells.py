"""What gates compute does not depend on where a sample lies in a batch."""

import pytest
import torch

from crossloom.graph.recurrent import CELLS
from crossloom.graph.recurrent.cells import sigmoid


def test_the_sigmoid_is_that_of_torch():
    values = torch.linspace(-200, 200, 4001)
    torch.testing.assert_close(sigmoid(values), torch.sigmoid(values), rtol=1e-6, atol=1e-7)
    assert sigmoid(torch.tensor([-1e30, 0.0, 1e30])).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hidden", [1, 5, 16, 33])
def test_a_step_gives_a_sample_the_same_bits_in_any_batch(cell, hidden):
    generator = torch.Generator().manual_seed(hidden)
    kind = CELLS[cell]
    given = 3 * torch.randn(101, kind.num_gates * hidden, generator=generator)
    recurred = torch.randn(101, kind.num_gates * hidden, generator=generator)
    state = tuple(torch.randn(101, hidden, generator=generator) for _ in range(kind.num_states))

    def products(rows):
        if cell == "gru_reset_first":
            return [lambda _: recurred[rows, : 2 * hidden], lambda _: recurred[rows, 2 * hidden :]]
        return [lambda _: recurred[rows]]

    whole = kind.step(given, state, products(slice(None)))
    for size in (1, 7, 32):
        for start in range(0, 101, size):
            rows = slice(start, start + size)
            part = kind.step(given[rows], tuple(each[rows] for each in state), products(rows))
            assert all(torch.equal(ours, theirs[rows]) for ours, theirs in zip(part, whole, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_pass_a_step_and_are_finite_at_extremes(cell):
    kind = CELLS[cell]
    given = torch.tensor([[-500.0, 0.3, 500.0, -2.0][: kind.num_gates]], requires_grad=True)
    state = (torch.full((1, 1), 0.4),) * kind.num_states
    products = [lambda values: values.expand(1, kind.num_gates), lambda values: values]
    if cell == "gru_reset_first":
        products[0] = lambda values: values.expand(1, 2)
    kind.step(given, state, products[:1] if cell == "lstm" else products)[0].sum().backward()
    assert given.grad is not None
    assert given.grad.isfinite().all()
