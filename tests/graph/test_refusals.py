"""What cannot be compiled is said in one line, with the place in the user's own code."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from graph_models import Function
from torch import Tensor, nn

import crossloom as xl
from crossloom.errors import DataError, GraphError, UnsupportedOperationError
from crossloom.graph import Graph, interpret, simplify, trace


def _loop(m: nn.Module, x: Tensor) -> Tensor:
    while x.norm() > 1:
        x = x / 2
    return x


def _count(m: nn.Module, x: Tensor) -> Tensor:
    for _ in range(int(x.abs().sum())):
        x = x + 1
    return x


def _size(m: nn.Module, x: Tensor) -> Tensor:
    found = (x > 0).nonzero()
    return x[:1] if found.shape[0] > 2 else x


class Branch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda a: a.sin(), lambda a: a.cos(), (x,))


def _numpy(m: nn.Module, x: Tensor) -> Tensor:
    return x + float(x.detach().numpy().sum())


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (_loop, "while x.norm() > 1:"), (_count, "for _ in range"), (_size, "return x[:1] if"),
        (_numpy, "return x + float"),
    ],
)  # fmt: skip
def test_control_flow_on_data_names_the_line_and_the_layer(function: Callable, code: str) -> None:
    model = nn.Sequential(nn.Linear(3, 3), Function(function))
    with pytest.raises(GraphError, match=rf"test_refusals.py:\d+: {re.escape(code)}") as caught:
        trace(model, torch.randn(2, 3))
    assert "\n" not in str(caught.value)
    assert "in layer '1'" in str(caught.value)


def test_a_branch_of_torch_names_the_line_of_forward() -> None:
    with pytest.raises(
        UnsupportedOperationError, match=r"cond in layer '1' \(at .*test_refusals.py:\d+: return torch.cond"
    ):
        trace(nn.Sequential(nn.Linear(3, 3), Branch()), torch.randn(2, 3))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return simplify(trace(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), torch.randn(2, 3)))


def test_an_empty_batch_is_refused_at_every_door(graph: Graph) -> None:
    empty, system = torch.zeros(0, 3), xl.load_system("ideal")
    with pytest.raises(DataError, match="empty"):
        interpret(graph, (empty,))
    with pytest.raises(DataError, match="empty"):
        xl.compile(nn.Linear(3, 4), system, empty)
    chips = xl.program(xl.compile(graph, system, torch.randn(2, 3)), xl.SimulatedBackend(system))
    with pytest.raises(DataError, match="empty"):
        xl.run(chips, empty)


def test_an_unknown_activation_is_refused_by_name_before_anything_runs(graph: Graph) -> None:
    nodes = tuple(
        replace(node, activation="swish") if node in graph.matrices else node for node in graph.nodes
    )
    with pytest.raises(UnsupportedOperationError, match=r"activation 'swish'; known are relu"):
        xl.compile(replace(graph, nodes=nodes), xl.load_system("ideal"), torch.randn(2, 3))
