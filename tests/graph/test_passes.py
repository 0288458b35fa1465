"""Laws of passes: the graph still computes the same, in fewer nodes."""

import pytest
import torch
from graph_models import CASES, Function, batch_of, graph_of
from torch import nn

from crossloom.graph import (
    SIMPLIFICATIONS,
    Digital,
    FoldBatchNorm,
    FuseActivation,
    FuseBias,
    Graph,
    Pass,
    RemoveDead,
    RemoveIdentities,
    interpret,
    simplify,
    trace,
)


def operations(graph: Graph) -> list[str]:
    return [node.operation.split(".")[1] for node in graph.nodes if isinstance(node, Digital)]


@pytest.mark.parametrize("change", [*SIMPLIFICATIONS, simplify], ids=lambda change: type(change).__name__)
@pytest.mark.parametrize("name", CASES)
def test_a_pass_does_not_change_what_a_graph_computes(name: str, change: Pass) -> None:
    inputs = batch_of(name, 3)
    before, after = interpret(graph_of(name), inputs), interpret(change(graph_of(name)), inputs)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_pass_leaves_the_graph_it_is_given_as_it_was(name: str) -> None:
    graph = graph_of(name)
    nodes, tensors = graph.nodes, {key: tensor.clone() for key, tensor in graph.tensors.items()}
    simplify(graph)
    assert graph.nodes is nodes
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in graph.tensors.items())
    assert graph.tensors.keys() == tensors.keys()


@pytest.mark.parametrize("name", CASES)
def test_simplifying_twice_is_simplifying_once(name: str) -> None:
    once = simplify(graph_of(name))
    assert simplify(once).nodes == once.nodes


@pytest.mark.parametrize("name", ["mlp", "convolutions 2d", "convolution 3d", "residual", "shared layer"])
def test_no_batch_norm_is_left_after_folding(name: str) -> None:
    assert "batch_norm" in operations(graph_of(name))
    assert "batch_norm" not in operations(FoldBatchNorm()(graph_of(name)))


def test_a_layer_and_norm_that_run_twice_keep_one_weight() -> None:
    graph = simplify(graph_of("shared layer"))
    assert len({node.weight for node in graph.matrices}) == 1
    assert len(graph.tensors) == 2


def test_a_norm_of_outputs_that_others_use_stays() -> None:
    model = Function(lambda m, x: m.bn(y := m.fc(x)) + y, fc=nn.Linear(3, 3), bn=nn.BatchNorm1d(3))
    assert "batch_norm" in operations(simplify(trace(model, torch.randn(2, 3))))


def test_a_norm_over_another_axis_than_the_outputs_stays() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))
    assert "batch_norm" in operations(simplify(trace(model, torch.randn(2, 5, 3))))


def test_a_norm_without_stored_statistics_stays() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5, track_running_stats=False))
    graph = simplify(trace(model, torch.randn(2, 3)))
    assert len(graph.nodes) > 2


def test_an_added_constant_becomes_the_bias() -> None:
    shift = torch.tensor([1.0, 2.0, 3.0])
    graph = FuseBias()(trace(Function(lambda m, x: shift + m.fc(x), fc=nn.Linear(4, 3)), torch.randn(2, 4)))
    matrix = graph.matrices[0]
    assert graph.outputs == ("fc",)
    torch.testing.assert_close(graph.tensors[matrix.bias], graph.tensors["fc.bias"] + shift)


def test_a_constant_per_channel_becomes_the_bias_of_a_convolution() -> None:
    shift = torch.randn(3, 1, 1)
    model = Function(lambda m, x: m.conv(x) + shift, conv=nn.Conv2d(2, 3, 3, bias=False))
    graph = FuseBias()(trace(model, torch.randn(2, 2, 5, 5)))
    torch.testing.assert_close(graph.tensors[graph.matrices[0].bias], shift.flatten())


@pytest.mark.parametrize("shape", [(3,), (3, 3), (3, 3, 3)])
def test_a_constant_per_position_stays_an_addition(shape: tuple[int, ...]) -> None:
    shift = torch.randn(shape)
    model = Function(lambda m, x: m.conv(x) + shift, conv=nn.Conv2d(2, 3, 3))
    assert operations(simplify(trace(model, torch.randn(2, 2, 5, 5)))) == ["add"]


def test_a_rectifier_becomes_the_activation() -> None:
    graph = FuseActivation()(graph_of("u-net"))
    assert [node.activation for node in graph.matrices] == ["relu", "relu", None, None]
    assert "relu" not in operations(graph)


def test_a_rectifier_of_outputs_that_others_use_stays() -> None:
    model = Function(lambda m, x: torch.relu(y := m.fc(x)) + y, fc=nn.Linear(3, 3))
    assert operations(simplify(trace(model, torch.randn(2, 3)))) == ["relu", "add"]


def test_an_output_that_is_also_rectified_stays_linear() -> None:
    model = Function(lambda m, x: (y := m.fc(x), torch.relu(y)), fc=nn.Linear(3, 3))
    assert simplify(trace(model, torch.randn(2, 3))).matrices[0].activation is None


def test_dropout_copies_and_reshapes_to_the_same_shape_go() -> None:
    def forward(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = model.dropout(model.fc(x)).clone().contiguous().view(x.shape[0], 3)[:]
        return y.to(torch.float32).expand(-1, 3).detach()

    graph = trace(Function(forward, fc=nn.Linear(3, 3), dropout=nn.Dropout()), torch.randn(2, 3))
    assert operations(RemoveDead()(RemoveIdentities()(graph))) == []


def test_a_reshape_that_may_move_the_batch_stays() -> None:
    model = Function(lambda m, x: x.reshape(x.shape[0] // 2, 2, 3).reshape(2, -1, 3))
    graph = simplify(trace(model, torch.randn(4, 3)))
    assert operations(graph).count("reshape") == 2


def test_dead_nodes_and_their_tensors_go_but_inputs_stay() -> None:
    model = Function(lambda m, x, y: m.a(x), a=nn.Linear(3, 3), b=nn.Linear(3, 3))
    graph = trace(model, (torch.randn(2, 3), torch.randn(2, 4)))
    cut = RemoveDead()(Graph(graph.nodes, (graph.inputs[0].name,), True, graph.tensors))
    assert cut.nodes == graph.inputs
    assert cut.tensors == {}
