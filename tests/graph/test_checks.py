"""Inputs are checked once, before anything runs."""

import pytest
import torch
from torch import nn

from crossloom.errors import DataError
from crossloom.graph import Graph, check_inputs, interpret, trace


@pytest.fixture(scope="module")
def graph() -> Graph:
    return trace(nn.Conv2d(3, 2, 3), torch.randn(2, 3, 8, 8))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((), "tuple of 1 inputs"),
        (torch.zeros(2, 3, 8, 8), "bare tensor"),
        ((torch.zeros(2, 3, 8, 8),) * 2, "got 2"),
        (([[1.0]],), "got list"),
        ((torch.zeros(2, 3, 8),), r"\[batch, 3, 8, 8\], got \[2, 3, 8\]"),
        ((torch.zeros(2, 3, 8, 9),), r"got \[2, 3, 8, 9\]"),
        ((torch.zeros(2, 3, 8, 8, dtype=torch.float64),), r"got float64; use .to\(torch.float32\)"),
        ((torch.zeros(0, 3, 8, 8),), "empty"),
        ((torch.full((2, 3, 8, 8), float("nan")),), "finite"),
        ((torch.full((2, 3, 8, 8), float("inf")),), "finite"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_what_was_wanted(
    graph: Graph, inputs: tuple, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        check_inputs(graph, inputs)
    with pytest.raises(DataError, match=message):
        interpret(graph, inputs)


@pytest.mark.parametrize("size", [1, 5])
def test_any_number_of_samples_fits(graph: Graph, size: int) -> None:
    check_inputs(graph, (torch.zeros(size, 3, 8, 8),))
