"""What follows a transposed convolution per channel or per value becomes part of its matrix."""

import torch
from graph_models import Function
from torch import nn

from crossloom.graph import Digital, PassShuffles, interpret, simplify, trace


def randomised(layer: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for norm in layer.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
    return layer.eval()


def test_a_norm_and_a_rectifier_after_a_transposed_convolution_join_its_matrix() -> None:
    layers = nn.Sequential(
        nn.ConvTranspose2d(4, 6, (4, 3), stride=2, padding=1, groups=2), nn.BatchNorm2d(6), nn.ReLU()
    )
    model, x = randomised(layers), torch.randn(3, 4, 5, 6)
    graph = simplify(trace(model, x))
    (matrix,) = graph.matrices
    assert matrix.activation == "relu"
    assert not any("norm" in node.operation for node in graph.nodes if isinstance(node, Digital))
    torch.testing.assert_close(interpret(graph, (x,))[0], model(x), rtol=1e-4, atol=1e-5)


def test_a_norm_stays_where_phases_are_filled_in() -> None:
    """A kernel of 2 under a stride of 3 leaves outputs at the bias alone, which the norm must shift too."""
    model = randomised(nn.Sequential(nn.ConvTranspose1d(2, 3, 2, stride=3), nn.BatchNorm1d(3)))
    x = torch.randn(2, 2, 5)
    graph = simplify(trace(model, x))
    assert any("norm" in node.operation for node in graph.nodes if isinstance(node, Digital))
    torch.testing.assert_close(interpret(graph, (x,))[0], model(x), rtol=1e-4, atol=1e-5)


def test_a_shuffle_that_is_also_used_elsewhere_stays_in_front() -> None:
    def both(m: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        wide = m.up(x)
        return torch.relu(wide), m.norm(wide)

    model = randomised(Function(both, up=nn.ConvTranspose1d(2, 3, 2, stride=2), norm=nn.BatchNorm1d(3)))
    x = torch.randn(2, 2, 5)
    graph = trace(model, x)
    assert PassShuffles()(graph).nodes == graph.nodes
    for found, wanted in zip(interpret(simplify(graph), (x,)), model(x), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_an_output_that_was_the_norm_is_the_shuffle_after_it() -> None:
    model = randomised(nn.Sequential(nn.ConvTranspose1d(2, 3, 4, stride=2), nn.BatchNorm1d(3)))
    x = torch.randn(2, 2, 5)
    graph = PassShuffles()(trace(model, x))
    assert graph.outputs == (graph.nodes[-1].name,) == ("0.axis0",)
    torch.testing.assert_close(interpret(graph, (x,))[0], model(x), rtol=1e-4, atol=1e-5)
