"""Models that PyTorch exported: same numbers as onnxruntime, same graph and weights as the PyTorch route."""

import copy
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from crossloom.errors import DataError
from crossloom.graph import interpret, simplify, trace
from crossloom.graph.onnx import OnnxModule, example_inputs, load_onnx

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

pytestmark = pytest.mark.filterwarnings("ignore")


class SmallNet(nn.Module):
    """Convolution, batch norm, linear."""

    shape = (3, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6 * 16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        return self.fc(x.view(x.size(0), -1))


class Block(nn.Module):
    """A residual block whose shortcut subsamples and pads channels (option A)."""

    def __init__(self, width: int, wider: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, (wider - width) // 2
        self.conv1 = nn.Conv2d(width, wider, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wider)
        self.conv2 = nn.Conv2d(wider, wider, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(wider)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.extra, self.extra))
        return F.relu(x + y)


class ResNet(nn.Module):
    """Two residual blocks."""

    shape = (3, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Block(4, 4, 1), Block(4, 8, 2))
        self.fc = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer1(F.relu(self.bn1(self.conv1(x))))
        x = F.avg_pool2d(x, x.size()[3])
        return self.fc(x.view(x.size(0), -1))


class MobileNet(nn.Sequential):
    """A depthwise block."""

    shape = (3, 8, 8)

    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU6()),
            *(nn.Conv2d(6, 6, 3, 1, 1, groups=6, bias=False), nn.BatchNorm2d(6), nn.Hardswish()),
            *(nn.Conv2d(6, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(4, 3)),
        )


class UNet(nn.Module):
    """Down, up in three ways, and a skip."""

    shape = (3, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.down = nn.Conv2d(4, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 8, 2, 2)
        self.last = nn.Conv2d(28, 2, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.first(x))
        y = F.relu(self.down(F.max_pool2d(x, 2)))
        nearest = F.interpolate(y, scale_factor=2)
        smooth = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        return self.last(torch.cat([x, self.up(y), nearest, smooth], 1))


class Encoder(nn.TransformerEncoderLayer):
    """Attention, layer norm, gelu."""

    shape = (5, 16)

    def __init__(self) -> None:
        super().__init__(16, 2, 32, batch_first=True, activation="gelu")


class Sequence(nn.Sequential):
    """Normalisations and linear layers over a sequence."""

    shape = (4, 9)

    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv1d(4, 6, 3), nn.GroupNorm(2, 6), nn.InstanceNorm1d(6, affine=True), nn.PReLU(6)),
            *(nn.LayerNorm(7), nn.Linear(7, 5), nn.SiLU(), nn.Linear(5, 5, bias=False), nn.GELU("tanh")),
        )


MODELS = [SmallNet, ResNet, MobileNet, UNet, Encoder, Sequence]
OPTIONS: dict[str, dict[str, Any]] = {
    "new": {"dynamo": True},
    "new_kept": {"dynamo": True, "optimize": False},
    "old": {"dynamo": False, "opset_version": 17},
    "old_kept": {"dynamo": False, "opset_version": 13, "do_constant_folding": False},
    "oldest": {"dynamo": False, "opset_version": 11},
}


def make_model(kind: type) -> nn.Module:
    """A model in eval mode, with batch norms that do something."""
    torch.manual_seed(0)
    model = kind().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    return model


Exporter = Callable[[type, str], tuple[nn.Module, Path]]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """A model of a kind, and the file that PyTorch's exporter makes of it; each is exported once."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def write(kind: type, label: str) -> tuple[nn.Module, Path]:
        model, path, options = make_model(kind), folder / f"{kind.__name__}_{label}.onnx", OPTIONS[label]
        axes = {0: torch.export.Dim.DYNAMIC}
        dynamic = {"dynamic_shapes": (axes,)} if options["dynamo"] else {"dynamic_axes": {"x": {0: "batch"}}}
        x = torch.randn(2, *model.shape)
        torch.onnx.export(model, (x,), str(path), input_names=["x"], verbose=False, **dynamic, **options)
        return model, path

    return write


def run_onnxruntime(path: Path, x: torch.Tensor) -> torch.Tensor:
    """The model's answer by onnxruntime."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


PAIRS = [
    (ResNet, "new"),
    *(
        pytest.param(kind, label, marks=pytest.mark.slow)
        for kind, label in ((UNet, "new"), (Encoder, "new_kept"))
    ),
    *((kind, "old") for kind in MODELS if kind is not Encoder),  # which the older exporter does not export
    *((ResNet, "old_kept"), (ResNet, "oldest")),
]
KEPT = [
    *((kind, "new_kept") for kind in (SmallNet, MobileNet)),
    pytest.param(Encoder, "new_kept", marks=pytest.mark.slow),
    *((kind, "old_kept") for kind in (SmallNet, ResNet, MobileNet)),
]


def name_of(parameter: Any) -> str:
    """What pytest calls a parameter."""
    return parameter.__name__ if isinstance(parameter, type) else parameter


@pytest.mark.parametrize(("kind", "label"), PAIRS, ids=name_of)
def test_an_exported_model_gives_what_onnxruntime_gives_and_exports_again(
    kind: type, label: str, export: Exporter
) -> None:
    _, path = export(kind, label)
    module = load_onnx(path)
    (x,) = example_inputs(module, batch=3)
    torch.testing.assert_close(module(x), run_onnxruntime(path, x), rtol=1e-5, atol=1e-5)
    program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    other = torch.randn(5, *x.shape[1:])
    torch.testing.assert_close(program.module()(other), run_onnxruntime(path, other), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "label"), KEPT, ids=name_of)
def test_a_file_that_keeps_batch_norms_gives_the_weights_of_the_pytorch_route(
    kind: type, label: str, export: Exporter
) -> None:
    model, path = export(kind, label)
    module = load_onnx(path)
    (x,) = example_inputs(module)
    ours, theirs = (simplify(trace(source, x)) for source in (module, model))
    assert len(ours.matrices) == len(theirs.matrices) > 0
    for our, their in zip(ours.matrices, theirs.matrices, strict=True):
        assert (our.name, our.window, our.groups) == (their.name, their.window, their.groups)
        assert our.shape == their.shape
        assert our.activation == their.activation
        assert torch.equal(ours.tensors[our.weight], theirs.tensors[their.weight])
        assert (our.bias is None) == (their.bias is None)
        assert our.bias is None or torch.equal(ours.tensors[our.bias], theirs.tensors[their.bias])


@pytest.mark.parametrize("kind", [SmallNet, MobileNet], ids=name_of)
@pytest.mark.parametrize("label", ["new_kept", "old_kept"])
def test_parameters_keep_their_names_and_bits(kind: type, label: str, export: Exporter) -> None:
    model, path = export(kind, label)
    stored = load_onnx(path).state_dict()
    wanted = {name: tensor for name, tensor in model.state_dict().items() if "num_batches" not in name}
    assert stored.keys() == wanted.keys()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in stored.items())


@pytest.mark.parametrize("label", ["new", "old"])
def test_a_folded_batch_norm_becomes_weight_and_bias_of_its_convolution(label: str, export: Exporter) -> None:
    model, path = export(ResNet, label)
    convolutions = [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]
    wanted = {f"{name}.{role}" for name in (*convolutions, "fc") for role in ("weight", "bias")}
    assert set(load_onnx(path).state_dict()) == wanted


@pytest.mark.parametrize("label", ["new", "old"])
def test_matrices_of_a_folded_file_have_the_names_of_their_layers(label: str, export: Exporter) -> None:
    model, path = export(ResNet, label)
    module = load_onnx(path)
    (x,) = example_inputs(module)
    ours, theirs = (simplify(trace(source, x)) for source in (module, model))
    assert [node.name for node in ours.matrices] == [node.name for node in theirs.matrices]
    assert [node.shape[0] for node in ours.matrices] == [None] * len(ours.matrices)


def test_an_exported_program_calls_linear_and_convolutions_with_stored_weights(export: Exporter) -> None:
    module = load_onnx(export(SmallNet, "old")[1])
    program = torch.export.export(module, example_inputs(module)).run_decompositions({})
    calls = [
        node for node in program.graph.nodes if "conv2d" in str(node.target) or "linear" in str(node.target)
    ]
    assert [str(node.target) for node in calls] == ["aten.conv2d.default", "aten.linear.default"]
    stored = program.graph_signature.inputs_to_parameters
    assert [stored[node.args[1].name] for node in calls] == ["conv1.weight", "fc.weight"]


def save_graph(
    path: Path, nodes: list[Any], shape: tuple[Any, ...], constants: dict[str, np.ndarray]
) -> Path:
    """Write a model of one input `x` and one output `y`, both floating."""
    make = onnx.helper.make_tensor_value_info
    inputs = [make("x", onnx.TensorProto.FLOAT, shape)]
    outputs = [make("y", onnx.TensorProto.FLOAT, ["batch", "rest"])]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = onnx.helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_a_chain_of_shapes_keeps_the_batch_dynamic(tmp_path: Path) -> None:
    node = onnx.helper.make_node
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["size"]),
        node("Mul", ["size", "two"], ["double"]),
        node("Unsqueeze", ["double", "axis"], ["first"]),
        node("Concat", ["first", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["flat"]),
        node("Shape", ["flat"], ["new"]),
        node("ConstantOfShape", ["new"], ["ones"], value=onnx.helper.make_tensor("v", 1, [1], [1.0])),
        node("Range", ["zero", "double", "one"], ["rows"]),
        node("Cast", ["rows"], ["floating"], to=1),
        node("Unsqueeze", ["floating", "last"], ["column"]),
        node("Add", ["flat", "ones"], ["sum"]),
        node("Size", ["x"], ["count"]),
        node("Cast", ["count"], ["number"], to=1),
        node("Div", ["sum", "number"], ["quotient"]),
        node("Add", ["quotient", "column"], ["y"]),
    ]
    numbers = {"zero": np.array(0), "one": np.array(1), "two": np.array(2)}
    arrays = {"axis": np.array([0]), "rest": np.array([-1]), "last": np.array([1])}
    path = save_graph(tmp_path / "chain.onnx", nodes, ("batch", 6), {**numbers, **arrays})
    module = load_onnx(path)
    program = torch.export.export(
        module, (torch.randn(2, 6),), dynamic_shapes={"x": {0: torch.export.Dim.DYNAMIC}}
    )
    x = torch.randn(5, 6)
    for run in (module, program.module()):
        torch.testing.assert_close(run(x), run_onnxruntime(path, x))


class TwoInputs(nn.Module):
    """Words and a picture, with an axis that is computed, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(9, 6)
        self.query = nn.Parameter(torch.randn(1, 1, 6))

    def forward(self, tokens: torch.Tensor, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.cat([self.query.expand(tokens.size(0), -1, -1), self.words(tokens)], 1)
        return torch.softmax(x @ features.transpose(1, 2), -1), x[:, 0] * features.shape[0]


def test_several_inputs_and_outputs_and_embeddings_keep_the_batch_dynamic(tmp_path: Path) -> None:
    model, path = TwoInputs().eval(), str(tmp_path / "two.onnx")
    inputs, other = ((torch.randint(0, 9, (batch, 4)), torch.randn(batch, 3, 6)) for batch in (2, 5))
    names = {"input_names": ["the tokens", "features"], "output_names": ["a", "b"]}
    axes = {name: {0: "batch"} for name in ("the tokens", "features", "a", "b")}
    torch.onnx.export(model, inputs, path, dynamo=False, opset_version=17, dynamic_axes=axes, **names)
    module = load_onnx(path)
    assert set(module.state_dict()) == {"words.weight", "query"}
    assert [tuple(x.shape) for x in example_inputs(module)] == [(2, 4), (2, 3, 6)]
    torch.testing.assert_close(module(the_tokens=other[0], features=other[1]), model(*other))
    torch.testing.assert_close(interpret(trace(module, inputs), other), model(*other))


def test_a_module_takes_its_inputs_by_name_and_can_be_copied(export: Exporter) -> None:
    module = load_onnx(export(SmallNet, "old")[1])
    (x,) = example_inputs(module)
    again = pickle.loads(pickle.dumps(copy.deepcopy(module)))
    assert isinstance(again, OnnxModule)
    assert torch.equal(again(x=x), module(x))


def test_example_inputs_follow_the_declared_shapes(export: Exporter, tmp_path: Path) -> None:
    path = export(SmallNet, "old")[1]
    assert [tuple(x.shape) for x in example_inputs(path, batch=4)] == [(4, 3, 8, 8)]
    assert torch.equal(example_inputs(path)[0], example_inputs(load_onnx(path))[0])
    nodes = [onnx.helper.make_node("Relu", ["x"], ["y"])]
    fixed = save_graph(tmp_path / "fixed.onnx", nodes, (1, 6), {})
    assert [tuple(x.shape) for x in example_inputs(fixed, batch=4)] == [(1, 6)]


def test_an_axis_that_only_data_can_tell_is_refused(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Relu", ["x"], ["y"])]
    path = save_graph(tmp_path / "open.onnx", nodes, ("batch", "length"), {})
    with pytest.raises(DataError, match=r"'x' does not declare the size of axes 1 \(length\)"):
        example_inputs(path)
