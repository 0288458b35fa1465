"""Laws of capture: the graph computes what the model computes, and leaves the model alone."""

import pytest
import torch
from graph_models import CASES, Function, batch_of, graph_of, model_of
from torch import nn
from torch.utils._pytree import tree_leaves

from crossloom.errors import DataError, GraphError, UnsupportedOperationError
from crossloom.graph import Digital, Recurrence, interpret, trace


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_a_graph_computes_what_its_model_computes_for_any_batch(name: str, size: int) -> None:
    inputs = batch_of(name, size)
    wanted = [leaf for leaf in tree_leaves(model_of(name)(*inputs)) if leaf is not None]
    torch.testing.assert_close(list(interpret(graph_of(name), inputs)), wanted)


@pytest.mark.parametrize("name", CASES)
def test_the_batch_stays_dynamic(name: str) -> None:
    assert all(node.shape[0] is None for node in graph_of(name).inputs)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("mlp", ["1", "4"]),
        ("residual", ["0.conv1", "0.conv2", "1.conv1", "1.conv2"]),
        ("attention", ["attention.in_proj", "attention.out_proj"]),
        ("tied weights", ["decoder"]),
        ("shared layer", ["fc", "fc_1"]),
        ("stored products", ["linear", "linear_1", "mm"]),
        ("u-net", ["down", "bottom", "up", "out"]),
    ],
)
def test_matrices_carry_the_names_of_their_layers(name: str, names: list[str]) -> None:
    assert [node.name for node in graph_of(name).matrices] == names


def test_tied_weights_are_stored_once() -> None:
    graph = graph_of("tied weights")
    assert list(graph.tensors) == ["embedding.weight"]
    assert graph.matrices[0].weight == "embedding.weight"


def test_a_transposed_parameter_is_stored_once_and_as_out_in() -> None:
    graph = graph_of("stored products")
    assert [node.weight for node in graph.matrices[:2]] == ["linear.weight"] * 2
    torch.testing.assert_close(graph.tensors[graph.matrices[2].weight], torch.eye(4) * 3)


def test_a_parametrized_weight_is_computed_once_at_capture() -> None:
    graph = graph_of("weight norm")
    weight = graph.tensors[graph.matrices[0].weight]
    torch.testing.assert_close(weight, model_of("weight norm")[0].weight.detach())
    assert len(graph.tensors) == 2


def test_an_even_kernel_with_same_padding_is_padded_before_the_matrix() -> None:
    graph = graph_of("same padding")
    pad, matrix = graph.nodes[1:]
    assert isinstance(pad, Digital)
    assert (pad.operation, pad.args[1]) == ("aten.constant_pad_nd.default", (0, 0, 0, 1))
    assert matrix.window.padding == (1, 1)


def test_recurrent_layers_and_attention_stay_whole() -> None:
    cells = [node.cell for node in graph_of("lstm").nodes if isinstance(node, Recurrence)]
    assert cells == ["lstm"] * 4
    operations = [node.operation for node in graph_of("transformer").nodes if isinstance(node, Digital)]
    assert operations.count("aten.scaled_dot_product_attention.default") == 2


def test_the_model_keeps_its_mode_its_gradients_and_its_weights() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    model[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trace(model, torch.randn(4, 3))
    assert (model.training, model[0].training, model[1].training) == (True, True, False)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_training_the_model_afterwards_leaves_the_graph_as_it_is() -> None:
    model, x = nn.Linear(3, 3), torch.randn(2, 3)
    graph = trace(model, x)
    before = interpret(graph, (x,))[0]
    nn.init.zeros_(model.weight)
    assert torch.equal(interpret(graph, (x,))[0], before)


def test_a_frozen_transformer_keeps_its_matrices() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).requires_grad_(False)
    with torch.no_grad():
        assert len(trace(layer, torch.randn(2, 5, 8)).matrices) == 4


def test_one_sample_is_example_enough() -> None:
    assert trace(nn.Linear(3, 2), torch.randn(1, 3)).inputs[0].shape == (None, 3)


def test_an_axis_that_the_model_fixes_becomes_static() -> None:
    assert trace(Function(lambda m, x: x.view(2, 3) + 1), torch.randn(2, 3)).inputs[0].shape == (2, 3)


def test_an_exported_program_is_taken_as_it_is() -> None:
    model, x = nn.Linear(3, 2), torch.randn(4, 3)
    graph = trace(torch.export.export(model, (x,)), x)
    assert graph.inputs[0].shape == (4, 3)
    torch.testing.assert_close(interpret(graph, (x,))[0], model(x))


def test_control_flow_on_data_is_refused_in_one_line_that_says_where(capfd: pytest.CaptureFixture) -> None:
    def branch(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x

    with pytest.raises(
        GraphError, match=r"depends on the data.*test_capture.py:\d+: return x if.*torch.where"
    ) as caught:
        trace(Function(branch), torch.randn(2, 3))
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None
    assert capfd.readouterr() == ("", "")


def test_a_model_that_fails_says_what_and_where() -> None:
    with pytest.raises(GraphError, match=r"reduction dim.*test_capture.py"):
        trace(Function(lambda m, x: m.fc(x[:, :2]), fc=nn.Linear(3, 3)), torch.randn(2, 3))


def test_a_layer_that_fails_is_named() -> None:
    with pytest.raises(GraphError, match=r"reduction dim.*in layer '1'"):
        trace(nn.Sequential(nn.Linear(3, 3), nn.Linear(4, 4)), torch.randn(2, 3))


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(GraphError, match=r"need an nn\.Module"):
        trace(torch.relu, torch.randn(2, 3))


def test_a_model_is_captured_where_gradients_are_off() -> None:
    with torch.inference_mode():
        x = torch.randn(2, 3)
        assert len(trace(nn.Linear(3, 3), x).matrices) == 1


def test_an_operation_of_another_library_is_refused_by_name_and_layer() -> None:
    @torch.library.custom_op("crossloom_test::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    twice.register_fake(torch.empty_like)
    model = nn.Sequential(nn.Linear(3, 3), Function(lambda m, x: twice(x)))
    with pytest.raises(UnsupportedOperationError, match=r"crossloom_test.twice.*in layer '1'"):
        trace(model, torch.randn(2, 3))


def test_a_branch_of_torch_is_refused_by_name() -> None:
    def branch(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, lambda a: a.sin(), lambda a: a.cos(), (x,))

    with pytest.raises(UnsupportedOperationError, match="cond in the model's own forward"):
        trace(Function(branch), torch.randn(2, 3))


def test_a_memory_layout_is_no_part_of_a_graph() -> None:
    with pytest.raises(UnsupportedOperationError, match=r"as_strided.*memory"):
        trace(Function(lambda m, x: x.as_strided((2, 2), (3, 1))), torch.randn(2, 3))


def test_a_model_that_writes_into_its_buffer_is_refused() -> None:
    def count(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        model.steps += 1
        return x + model.steps

    model = Function(count)
    model.register_buffer("steps", torch.zeros(()))
    with pytest.raises(UnsupportedOperationError, match="buffer 'steps'"):
        trace(model, torch.randn(2, 3))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_refused_by_name(value: float) -> None:
    model = nn.Sequential(nn.Linear(3, 3))
    with torch.no_grad():
        model[0].weight[1, 1] = value
    with pytest.raises(GraphError, match=r"'0.weight'.*1 of its 9"):
        trace(model, torch.randn(2, 3))


def test_a_mask_may_hold_infinities() -> None:
    mask = torch.full((3, 3), float("-inf")).triu(1)
    graph = trace(Function(lambda m, x: (x[:, None] + mask).softmax(-1)), torch.randn(2, 3))
    assert interpret(graph, (torch.randn(4, 3),))[0].shape == (4, 3, 3)


def test_an_output_that_is_no_tensor_is_refused() -> None:
    with pytest.raises(GraphError, match="outputs must be tensors"):
        trace(Function(lambda m, x: (x + 1, x.shape[0])), torch.randn(2, 3))


@pytest.mark.parametrize("example", [(), (3,), torch.zeros(0, 3)])
def test_an_example_without_samples_is_refused(example: object) -> None:
    with pytest.raises(DataError, match="example must"):
        trace(nn.Linear(3, 3), example)
