"""What the interpreter promises: any way to compute matrices, any place to stop, gradients, no leaks."""

from dataclasses import replace

import pytest
import torch
from graph_models import CASES, Function, batch_of, graph_of, model_of
from torch import nn

from crossloom.errors import GraphError, UnsupportedOperationError
from crossloom.graph import (
    Digital,
    Graph,
    Input,
    Interpreter,
    Matrix,
    NodeRef,
    TensorRef,
    TorchConstant,
    float_matrix,
    interpret,
    measure_shapes,
    resolve_operation,
    simplify,
    trace,
)


def graph_with(operation: str, *args: object) -> Graph:
    """A graph of one input `x` `[batch, 3]` and one digital node."""
    nodes = (Input("x", (None, 3), "float32"), Digital("y", operation, args, (), "", (None, 3)))
    return Graph(nodes, ("y",), True, {})


def test_a_caller_can_compute_the_matrices_in_another_way() -> None:
    graph = simplify(graph_of("u-net"))
    exact = float_matrix(graph)
    seen: list[str] = []

    def transposed_in_memory(node: Matrix, source: torch.Tensor) -> torch.Tensor:
        seen.append(node.name)
        return exact(node, source).transpose(0, 1).contiguous().transpose(0, 1)

    inputs = batch_of("u-net", 3)
    torch.testing.assert_close(interpret(graph, inputs, transposed_in_memory), interpret(graph, inputs))
    assert seen == ["down", "bottom", "up", "out"]


@pytest.mark.parametrize("name", CASES)
def test_where_a_matrix_leaves_its_outputs_in_memory_does_not_matter(name: str) -> None:
    graph = simplify(graph_of(name))
    exact = float_matrix(graph)

    def elsewhere(node: Matrix, source: torch.Tensor) -> torch.Tensor:
        return exact(node, source).movedim(-1, 0).contiguous().movedim(0, -1)

    inputs = batch_of(name, 3)
    torch.testing.assert_close(interpret(graph, inputs, elsewhere), interpret(graph, inputs))


def test_it_stops_at_a_node_or_at_the_end_of_a_layer() -> None:
    graph, model, x = graph_of("residual"), model_of("residual"), batch_of("residual", 3)
    (conv,) = interpret(graph, x, stop_at="0.conv1")
    torch.testing.assert_close(conv, model[0].conv1(x[0]))
    (block,) = interpret(graph, x, stop_at="0")
    torch.testing.assert_close(block, model[0](x[0]))


def test_an_unknown_place_to_stop_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(GraphError, match=r"no node or layer '0.convl'.*'0.conv1'"):
        interpret(graph_of("residual"), batch_of("residual", 1), stop_at="0.convl")


def test_an_observer_sees_every_tensor() -> None:
    graph = graph_of("mlp")
    seen: dict[str, torch.Size] = {}
    interpret(graph, batch_of("mlp", 3), observe=lambda node, value: seen.update({node.name: value.shape}))
    for node in graph.nodes:
        if node.shape is not None:
            assert seen[node.name] == torch.Size(3 if size is None else size for size in node.shape)


def test_values_are_freed_after_their_last_use() -> None:
    import weakref

    model = Function(lambda m, x: torch.tanh(torch.tanh(torch.tanh(m.fc(x)))), fc=nn.Linear(3, 3))
    alive: list[weakref.ref] = []
    most = []

    def observe(node: object, value: torch.Tensor) -> None:
        alive.append(weakref.ref(value))
        most.append(sum(reference() is not None for reference in alive))

    graph = trace(model, torch.randn(2, 3))
    Interpreter(graph)((torch.randn(5, 3),), observe=observe)
    assert len(most) == 5
    assert max(most[1:]) <= 3  # the caller's input, a value, and what it came from


@pytest.mark.parametrize("enabled", [True, False])
def test_gradients_flow_where_the_caller_wants_them(enabled: bool) -> None:
    x = torch.randn(3, 2, 4, requires_grad=True)
    with torch.set_grad_enabled(enabled):
        (y,) = interpret(graph_of("mlp"), (x,))
    assert y.requires_grad is enabled


@pytest.mark.parametrize("name", CASES)
def test_a_graph_runs_on_a_device_other_than_the_example_was_on(name: str) -> None:
    graph, real = simplify(graph_of(name)), {}
    interpret(
        graph, batch_of(name, 3), observe=lambda node, value: real.update({node.name: tuple(value.shape)})
    )
    held = {node.name for node in graph.matrices} - real.keys()
    assert all(matrix.source not in real for matrix in graph.matrices if matrix.name in held)
    assert {name: shape for name, shape in measure_shapes(graph, 3).items() if name not in held} == real


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_computes_the_same(name: str) -> None:
    inputs = batch_of(name, 3)
    located = Interpreter(simplify(graph_of(name)))(tuple(tensor.cuda() for tensor in inputs))
    wanted = interpret(graph_of(name), inputs)
    torch.testing.assert_close(tuple(value.cpu() for value in located), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "operation",
    ["aten.relu", "aten.relu_.default", "aten.no_such.default", "aten.__class__.mro", "aten.relu.__call__",
     "aten.from_file.default", "aten.as_strided.default", "torchvision.nms.default", "sym.exec", "os.system",
     ""],
)  # fmt: skip
def test_an_operation_that_is_not_allowed_is_refused_before_anything_runs(operation: str) -> None:
    with pytest.raises(UnsupportedOperationError):
        resolve_operation(operation)
    with pytest.raises(UnsupportedOperationError, match="node 'y'"):
        Interpreter(graph_with(operation, NodeRef("x")))


def test_a_node_that_fails_is_named() -> None:
    with pytest.raises(GraphError, match=r"node 'y' \(aten.transpose.int\) failed"):
        interpret(graph_with("aten.transpose.int", NodeRef("x"), 0, 7), (torch.randn(2, 3),))


def test_references_to_nothing_are_refused() -> None:
    with pytest.raises(GraphError, match="node 'y' uses"):
        Interpreter(graph_with("aten.relu.default", NodeRef("z")))
    with pytest.raises(GraphError, match="node 'y' uses"):
        Interpreter(graph_with("aten.relu.default", TensorRef("z")))
    with pytest.raises(GraphError, match="outputs"):
        Interpreter(replace(graph_of("mlp"), outputs=("z",)))


def test_two_nodes_of_one_name_are_refused() -> None:
    graph = graph_of("mlp")
    with pytest.raises(GraphError, match="names must be unique"):
        Interpreter(replace(graph, nodes=(*graph.nodes, graph.nodes[-1])))


def test_an_unknown_constant_of_torch_is_refused() -> None:
    graph = graph_with("aten._to_copy.default", NodeRef("x"))
    graph = replace(
        graph,
        nodes=(graph.nodes[0], replace(graph.nodes[1], kwargs=(("dtype", TorchConstant("dtype", "load")),))),
    )
    with pytest.raises(UnsupportedOperationError, match="unknown constant"):
        interpret(graph, (torch.randn(2, 3),))
