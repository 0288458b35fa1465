"""QDQ and QONNX files keep their scales: as onnxruntime computes them, and as integers on chips."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import crossloom as xl
from crossloom.errors import UnsupportedOperationError
from crossloom.graph import interpret
from crossloom.graph.onnx import import_onnx, load_onnx
from crossloom.pipeline import compile
from crossloom.pipeline.declared import declared_layers
from crossloom.quant import interpret_integers

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

FLOAT = 1
QONNX = "qonnx.custom_op.general"


def save(path: Path, nodes: list[Any], width: int, outputs: int, **constants: np.ndarray) -> Path:
    """A file from `x` [batch, width] to `y` [batch, outputs]."""
    declare = onnx.helper.make_tensor_value_info
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    inputs, results = [declare("x", FLOAT, ["batch", width])], [declare("y", FLOAT, ["batch", outputs])]
    graph = onnx.helper.make_graph(nodes, "graph", inputs, results, stored)
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(QONNX, 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def run_onnx(path: Path, x: torch.Tensor) -> torch.Tensor:
    """By onnxruntime without its optimisations: fused kernels saturate on processors without VNNI."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16])
@pytest.mark.parametrize("zero", [0, 3])
def test_quantising_and_back_is_what_onnxruntime_does(kind, zero, tmp_path):
    scale = 0.05 if kind is not np.int16 else 1e-4
    make, operands = onnx.helper.make_node, ["scale", "zero"]
    nodes = [
        make("QuantizeLinear", ["x", *operands], ["codes"]),
        make("DequantizeLinear", ["codes", *operands], ["y"]),
    ]
    constants = {"scale": np.array(scale, np.float32), "zero": np.array(zero, kind)}
    path = save(tmp_path / "model.onnx", nodes, 9, 9, **constants)
    # onnxruntime and the file's checker take int16 from opset 21 on.
    if kind is np.int16:
        model = onnx.load(path)
        model.opset_import[0].version = 21
        onnx.save(model, path)
    x = torch.from_numpy(5 * numbers(4, 9))
    assert torch.equal(load_onnx(path)(x), run_onnx(path, x))


class Net(nn.Sequential):
    """Convolutions, pooling and linear layers."""

    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, groups=2)),
            *(nn.ReLU(), nn.Flatten(), nn.Linear(32, 12), nn.ReLU(), nn.Linear(12, 5)),
        )


def quantise(folder: Path, x: torch.Tensor, **choices: Any) -> Path:
    """A QDQ file by onnxruntime's own tool."""
    tool = pytest.importorskip("onnxruntime.quantization")
    torch.manual_seed(0)
    plain, path = folder / "plain.onnx", folder / "qdq.onnx"
    axes = {"x": {0: "batch"}}
    torch.onnx.export(Net().eval(), (x,), plain, dynamo=False, input_names=["x"], dynamic_axes=axes)

    class Reader(tool.CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [{"x": x.numpy()}]

        def get_next(self) -> Any:
            return self.left.pop() if self.left else None

    tool.quantize_static(plain, path, Reader(), quant_format=tool.QuantFormat.QDQ, **choices)
    return path


@pytest.mark.parametrize(("activations", "per_channel"), [("QUInt8", True), ("QInt8", False)])
def test_a_qdq_file_runs_with_its_own_integers(activations, per_channel, tmp_path):
    tool = pytest.importorskip("onnxruntime.quantization")
    x = torch.from_numpy(numbers(16, 3, 8, 8))
    kinds = {"activation_type": getattr(tool.QuantType, activations), "weight_type": tool.QuantType.QInt8}
    extra = {"ActivationSymmetric": activations == "QInt8"}
    path = quantise(tmp_path, x, per_channel=per_channel, extra_options=extra, **kinds)
    wanted = run_onnx(path, x)
    assert torch.equal(load_onnx(path)(x), wanted)
    placement = compile(path, xl.load_system("ideal"), x[:4])  # calibration data play no part
    quantized, scales = placement.mapped.quantized, _scales(path)
    assert len(quantized.layers) == 4
    for name, layer in quantized.layers.items():
        # Codes from 0 to 255 less a zero in between need a sign, and a bit more.
        is_shifted = layer.input_is_signed and activations == "QUInt8"
        assert (layer.weight_bits, layer.input_bits) == (8, 9 if is_shifted else 8)
        assert np.float32(layer.input_step) in scales
        assert {np.float32(step) for step in layer.weight_step.tolist()} <= scales, name
    # A code of the output may round to its neighbour, since float sums and integer sums do not tie alike.
    step = interpret_integers(quantized, (x,))[0].sub(wanted).abs()
    assert (step > 1e-6).float().mean() < 0.02
    chips = xl.program(placement, xl.SimulatedBackend(placement.system))
    assert torch.equal(xl.run(chips, x).outputs, interpret_integers(quantized, (x,))[0])


def _scales(path: Path) -> set[np.float32]:
    """All scales in a file."""
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer]
    return {np.float32(number) for array in arrays if array.dtype == np.float32 for number in array.flatten()}


def test_only_layers_whose_input_is_quantised_too_take_over_steps(tmp_path):
    make = onnx.helper.make_node
    nodes = [
        make("DequantizeLinear", ["w", "scale"], ["weight"], axis=0),
        make("Gemm", ["x", "weight"], ["y"], transB=1),
    ]
    weight = np.random.default_rng(0).integers(-127, 128, (5, 7)).astype(np.int8)
    path = save(tmp_path / "model.onnx", nodes, 7, 5, w=weight, scale=np.full(5, 0.01, np.float32))
    x = torch.from_numpy(numbers(4, 7))
    graph = import_onnx(path, x)
    torch.testing.assert_close(interpret(graph, (x,))[0], run_onnx(path, x))
    assert [node.codes.highest for node in graph.matrices] == [127]
    assert declared_layers(graph) == {}


def quant_nodes(bits: int) -> tuple[list[Any], dict[str, np.ndarray]]:
    """A linear layer with QONNX's quantisers at its input (unsigned) and its weight (one scale per output)."""
    make = onnx.helper.make_node
    nodes = [
        make("Relu", ["x"], ["positive"]),
        make("Quant", ["positive", "s", "z", "bits"], ["input"], domain=QONNX, signed=0, narrow=0),
        make("Quant", ["w", "ws", "z", "bits"], ["weight"], domain=QONNX, signed=1, narrow=1),
        make("Gemm", ["input", "weight"], ["y"], transB=1),
    ]
    constants = {
        "s": np.array(0.2, np.float32),
        "z": np.array(0, np.float32),
        "bits": np.array(bits, np.float32),
        "w": numbers(5, 7, seed=1),
        "ws": np.linspace(0.1, 0.3, 5, dtype=np.float32).reshape(5, 1),
    }
    return nodes, constants


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_qonnx_quantisers_of_any_width_are_taken_over(bits, tmp_path):
    nodes, constants = quant_nodes(bits)
    path = save(tmp_path / "model.onnx", nodes, 7, 5, **constants)
    x = torch.from_numpy(2 * numbers(40, 7))
    top = 2 ** (bits - 1) - 1
    codes = np.clip(np.round(constants["w"] / constants["ws"]), -top, top)
    seen = np.clip(np.round(np.maximum(x.numpy(), 0) / np.float32(0.2)), 0, 2**bits - 1)
    wanted = torch.from_numpy((seen * np.float32(0.2)) @ (codes * constants["ws"]).T)
    torch.testing.assert_close(load_onnx(path)(x), wanted)
    placement = compile(path, xl.load_system("ideal"), x)
    (layer,) = placement.mapped.quantized.layers.values()
    assert (layer.weight_bits, layer.input_bits, layer.input_is_signed) == (bits, bits, False)
    assert torch.equal(layer.weight, torch.from_numpy(codes).to(torch.int16))
    chips = xl.program(placement, xl.SimulatedBackend(placement.system))
    torch.testing.assert_close(xl.run(chips, x).outputs, wanted, rtol=1e-5, atol=1e-5)


def test_bipolar_weights_and_inputs_take_two_bits(tmp_path):
    make = onnx.helper.make_node
    nodes = [
        make("BipolarQuant", ["x", "s"], ["input"], domain=QONNX),
        make("BipolarQuant", ["w", "s"], ["weight"], domain=QONNX),
        make("Gemm", ["input", "weight"], ["y"], transB=1),
    ]
    weight, scale = numbers(5, 7, seed=1), np.array(0.5, np.float32)
    path = save(tmp_path / "model.onnx", nodes, 7, 5, w=weight, s=scale)
    x = torch.from_numpy(numbers(6, 7))
    placement = compile(path, xl.load_system("ideal"), x)
    (layer,) = placement.mapped.quantized.layers.values()
    assert (layer.weight_bits, layer.input_bits, layer.input_is_signed) == (2, 2, True)
    wanted = 0.25 * torch.where(x >= 0, 1.0, -1.0) @ torch.from_numpy(np.where(weight >= 0, 1, -1)).float().T
    assert torch.equal(interpret_integers(placement.mapped.quantized, (x,))[0], wanted)


def test_truncated_codes_lose_their_lowest_bits(tmp_path):
    nodes = [onnx.helper.make_node("Trunc", ["x", "s", "z", "from", "to"], ["y"], domain=QONNX)]
    sizes = {"s": 0.5, "z": 0, "from": 8, "to": 6}
    constants = {name: np.array(value, np.float32) for name, value in sizes.items()}
    path = save(tmp_path / "model.onnx", nodes, 4, 4, **constants)
    x = torch.tensor([[0.5, 1.5, 7.5, -0.5]])
    assert load_onnx(path)(x).tolist() == [[0.0, 0.0, 1.5, -0.5]]


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"rounding_mode": "CEIL"}, r"Quant \(node 'the_quant', opset 17\): .*rounding_mode=CEIL"),
        ({"domain": "com.example"}, "its domain 'com.example' is not ONNX's own"),
    ],
)
def test_other_quantisers_are_refused_by_name(choices, reason, tmp_path):
    options = {"domain": QONNX, **choices}
    nodes = [onnx.helper.make_node("Quant", ["x", "s", "z", "b"], ["y"], name="the_quant", **options)]
    constants = {name: np.array(1, np.float32) for name in ("s", "z", "b")}
    path = save(tmp_path / "model.onnx", nodes, 4, 4, **constants)
    if "domain" in choices:
        model = onnx.load(path)
        model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
        onnx.save(model, path)
    with pytest.raises(UnsupportedOperationError, match=reason):
        load_onnx(path)
