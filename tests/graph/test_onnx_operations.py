"""Every operation gives what onnxruntime gives, at a batch other than the one it was traced with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from crossloom.graph.onnx import SUPPORTED_OPERATIONS, example_inputs, load_onnx

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")


@dataclass
class Case:
    """One node. Operands are shapes of inputs (first axis dynamic), arrays of constants, or None."""

    operation: str
    operands: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    opset: int = 17
    dtype: type = np.float32
    result: type = np.float32
    num_outputs: int = 1
    positive: bool = False

    @property
    def title(self) -> str:
        """What pytest calls the case."""
        extra = ",".join(f"{name}={value}" for name, value in self.attributes.items())
        return f"{self.operation}-{self.opset}-{extra}"[:80]


def case(operation: str, *operands: Any, **options: Any) -> Case:
    """A case; options that are none of `Case`'s fields are attributes of the node."""
    own = {name: options.pop(name) for name in list(options) if name in Case.__dataclass_fields__}
    return Case(operation, operands, options, **own)


def ints(*numbers: int) -> np.ndarray:
    """A constant of whole numbers."""
    return np.array(numbers, dtype=np.int64)


def floats(*shape: int) -> np.ndarray:
    """A constant of random numbers."""
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def single(number: float) -> np.ndarray:
    """A constant without axes."""
    return np.array(number, dtype=np.float32)


PLANE = (3, 4, 7, 6)
NO_REGION = np.zeros(0, dtype=np.float32)
SCALES = np.array([1, 1, 2, 2], dtype=np.float32)
HALVES = np.array([1, 1, 0.5, 0.5], dtype=np.float32)

UNARY = [
    *(
        "Abs",
        "Ceil",
        "Cos",
        "Elu",
        "Erf",
        "Exp",
        "Floor",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyRelu",
    ),
    *("LogSoftmax", "Neg", "Relu", "Round", "Selu", "Celu", "Sigmoid", "Sign", "Sin", "Softmax", "Softplus"),
    *("Softsign", "Tanh", "ThresholdedRelu", "Dropout", "Reciprocal", "GlobalAveragePool", "GlobalMaxPool"),
]
REDUCTIONS = ["L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"]

CASES = [
    *(case(name, PLANE) for name in UNARY),
    *(case(name, PLANE, positive=True) for name in ("Sqrt", "Log")),
    case("Mish", PLANE, opset=18),
    case("Swish", PLANE, opset=24, alpha=0.5),
    *(case("Gelu", PLANE, opset=20, approximate=name) for name in ("none", "tanh")),
    case("HardSigmoid", PLANE, alpha=1 / 6, beta=0.5),
    case("LeakyRelu", PLANE, alpha=0.3),
    case("Elu", PLANE, alpha=0.3),
    case("Celu", PLANE, alpha=0.3),
    case("Selu", PLANE, alpha=1.1, gamma=0.7),
    case("Softmax", PLANE, axis=1),
    case("Softmax", PLANE, axis=1, opset=11),
    case("PRelu", PLANE, floats(4, 1, 1)),
    case("PRelu", PLANE, floats(1)),
    case("PRelu", PLANE, floats(4, 7, 6)),
    case("IsNaN", PLANE, result=np.bool_),
    # arithmetic
    *(case(name, PLANE, PLANE) for name in ("Add", "Sub", "Mul", "Div")),
    *(case(name, PLANE, single(0.7)) for name in ("Add", "Sub", "Mul", "Div")),
    *(case(name, single(0.7), PLANE) for name in ("Sub", "Div")),
    *(case(name, PLANE, floats(4, 1, 1)) for name in ("Add", "Mul")),
    case("Div", (3, 5), ints(3), dtype=np.int64, result=np.int64),
    case("Mod", (3, 5), ints(3), dtype=np.int64, result=np.int64),
    case("Mod", (3, 5), single(0.7), fmod=1),
    case("Pow", PLANE, single(2)),
    case("Pow", PLANE, PLANE, positive=True),
    *(case(name, PLANE, PLANE, floats(4, 1, 1)) for name in ("Min", "Max", "Sum", "Mean")),
    case("Clip", PLANE, single(-0.5), single(0.5)),
    case("Clip", PLANE, single(0), single(6)),
    case("Clip", PLANE, None, single(0.5)),
    case("Clip", PLANE, single(0.1)),
    case("Clip", PLANE),
    case("Cast", PLANE, to=6, result=np.int32),
    case("Cast", PLANE, to=11, result=np.float64),
    case("CastLike", PLANE, ints(1), result=np.int64),
    # comparisons
    *(
        case(name, PLANE, other, result=np.bool_)
        for name in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
        for other in (PLANE, single(0.2))
    ),
    *(case(name, PLANE, PLANE, dtype=np.bool_, result=np.bool_) for name in ("And", "Or", "Xor")),
    case("Not", PLANE, dtype=np.bool_, result=np.bool_),
    case("Where", np.array([[True], [False], [True], [True]]), (3, 4, 5), single(-1)),
    # convolutions
    case("Conv", (3, 4, 9), floats(6, 4, 3), floats(6)),
    case("Conv", PLANE, floats(6, 4, 3, 3), floats(6), pads=[1, 1, 1, 1], strides=[2, 2]),
    case("Conv", PLANE, floats(6, 2, 3, 3), group=2, dilations=[2, 1]),
    case("Conv", PLANE, floats(6, 4, 3, 2), pads=[0, 1, 2, 0]),
    case("Conv", PLANE, floats(6, 4, 3, 2), auto_pad="SAME_UPPER", strides=[2, 2]),
    case("Conv", PLANE, floats(6, 4, 2, 3), auto_pad="SAME_LOWER", strides=[1, 2]),
    case("Conv", PLANE, floats(6, 4, 3, 3), auto_pad="VALID"),
    case("Conv", (3, 2, 5, 4, 6), floats(4, 2, 2, 3, 3), floats(4), pads=[1, 0, 1, 1, 0, 1]),
    case("ConvTranspose", (3, 4, 9), floats(4, 5, 3), floats(5), strides=[2]),
    case(
        "ConvTranspose", PLANE, floats(4, 5, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    ),
    case("ConvTranspose", PLANE, floats(4, 3, 3, 3), floats(6), group=2, pads=[0, 1, 2, 0], strides=[2, 1]),
    case("ConvTranspose", (3, 2, 4, 3, 3), floats(2, 3, 2, 2, 2), dilations=[1, 2, 1]),
    # products
    case("Gemm", (3, 5), floats(4, 5), floats(4), transB=1),
    case("Gemm", (3, 5), floats(5, 4), floats(1, 4), alpha=0.5, beta=2.0),
    case("Gemm", (3, 5), floats(5, 4), single(0.5)),
    case("Gemm", (3, 5), floats(5, 4)),
    case("Gemm", (3, 5), floats(5, 4), (3, 4), beta=0.5),
    case("Gemm", (3, 5), (3, 4), floats(5, 4), transA=1),
    case("Gemm", (3, 5), floats(3, 4).T.copy(), transA=1, transB=1, opset=13),
    case("MatMul", (3, 5), floats(5, 4)),
    case("MatMul", (3, 2, 5), floats(5, 4)),
    case("MatMul", (3, 2, 5), (3, 5, 4)),
    case("MatMul", floats(4, 2), (3, 2, 5)),
    case("Einsum", (3, 2, 5), (3, 4, 5), equation="bid, bjd -> bij"),
    # normalisations
    case("BatchNormalization", PLANE, floats(4), floats(4), floats(4), abs(floats(4)), epsilon=1e-3),
    case("LayerNormalization", PLANE, floats(6), floats(6)),
    case("LayerNormalization", PLANE, floats(7, 6), axis=-2),
    case("RMSNormalization", PLANE, floats(6), opset=23),
    case("InstanceNormalization", PLANE, floats(4), floats(4)),
    case("GroupNormalization", PLANE, floats(4), floats(4), num_groups=2, opset=21),
    case("LRN", PLANE, size=3, alpha=0.1, beta=0.6, bias=1.5),
    case("LpNormalization", PLANE, axis=1, p=2),
    # pooling
    case("MaxPool", PLANE, kernel_shape=[2, 2], strides=[2, 2]),
    case("MaxPool", PLANE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    case("MaxPool", PLANE, kernel_shape=[2, 2], pads=[0, 0, 1, 1], dilations=[2, 2]),
    case("MaxPool", PLANE, kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
    case("MaxPool", (3, 2, 9), kernel_shape=[3]),
    case("MaxPool", (3, 2, 5, 5, 5), kernel_shape=[2, 2, 2]),
    case("AveragePool", PLANE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    case("AveragePool", PLANE, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    case("AveragePool", PLANE, kernel_shape=[2, 2], pads=[0, 0, 1, 1]),
    case("AveragePool", PLANE, kernel_shape=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1),
    case("AveragePool", PLANE, kernel_shape=[2, 4], strides=[2, 2], auto_pad="SAME_UPPER"),
    case("AveragePool", PLANE, kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1),
    case("AveragePool", (3, 2, 9), kernel_shape=[3], strides=[2]),
    # reductions
    *(case(f"Reduce{name}", PLANE, axes=[2, 3], keepdims=0) for name in REDUCTIONS),
    *(case(f"Reduce{name}", PLANE, ints(-1, 1), opset=18) for name in REDUCTIONS),
    case("ReduceSum", PLANE, ints(2), keepdims=0),
    case("ReduceSum", PLANE),
    case("ReduceSum", PLANE, noop_with_empty_axes=1),
    case("ArgMax", PLANE, axis=1, keepdims=0, result=np.int64),
    case("ArgMin", PLANE, axis=-1, result=np.int64),
    case("CumSum", PLANE, np.array(1)),
    case("CumSum", PLANE, np.array(1), exclusive=1, reverse=1),
    case("TopK", (3, 8), ints(3), axis=-1, num_outputs=2),
    # shapes
    case("Flatten", PLANE),
    case("Flatten", PLANE, axis=2),
    case("Flatten", PLANE, axis=-1),
    case("Flatten", PLANE, axis=0),
    case("Reshape", PLANE, ints(0, 2, -1)),
    case("Reshape", PLANE, ints(-1, 6, 28)),
    case("Transpose", PLANE, perm=[0, 2, 3, 1]),
    case("Transpose", PLANE),
    case("Squeeze", (3, 1, 4, 1), ints(1, -1)),
    case("Squeeze", (3, 1, 4, 1), axes=[1], opset=11),
    case("Unsqueeze", (3, 4), ints(0, -1)),
    case("Concat", PLANE, PLANE, floats(3, 4, 2, 6), axis=2),
    case("Split", PLANE, ints(1, 3), axis=1, num_outputs=2),
    case("Split", PLANE, axis=2, num_outputs=7),
    case("Slice", PLANE, ints(1, -5), ints(2**40, -1), ints(1, 3), ints(2, 3)),
    case("Slice", PLANE, ints(-1, 5), ints(-(2**40), 1), ints(2, 3), ints(-1, -2)),
    case("Slice", PLANE, ints(0), ints(2)),
    case("Gather", PLANE, np.array(-1), axis=2),
    case("Gather", PLANE, np.array([[0, -1], [2, 1]]), axis=1),
    case("Gather", floats(9, 4), (3, 5), dtype=np.int64),
    case("GatherElements", PLANE, np.array([[[[0, -1, 1]]]] * 3), axis=3),
    case("GatherND", PLANE, np.array([[0, 1], [2, 3]])),
    case("Expand", (3, 1, 4), ints(2, 1, 5, 1)),
    case("Tile", (3, 2, 4), ints(1, 2, 3)),
    case("DepthToSpace", PLANE, blocksize=2),
    case("DepthToSpace", (3, 8, 3, 2), blocksize=2, mode="CRD"),
    case("DepthToSpace", (3, 8, 3, 2), blocksize=2),
    case("SpaceToDepth", (3, 2, 4, 6), blocksize=2),
    case("Trilu", PLANE, np.array(1), upper=0),
    case("Trilu", PLANE),
    case("Pad", PLANE, ints(0, 0, 1, 2, 0, 0, 3, 0), single(0.5)),
    case("Pad", PLANE, ints(0, 2, 0, 0, 0, 1, 0, 0)),
    case("Pad", PLANE, ints(0, 0, -1, 2, 0, 0, 3, -2)),
    case("Pad", PLANE, ints(0, 0, 1, 2, 0, 0, 3, 0), mode="reflect"),
    case("Pad", PLANE, ints(0, 2, 1, 0, 0, 1, 0, 0), mode="edge"),
    case("Pad", PLANE, ints(1, 2), None, ints(-1), opset=18, mode="reflect"),
    case("Pad", PLANE, ints(1, 2), None, ints(3), opset=19, mode="wrap"),
    # recurrent layers, whose first axis is time; more in test_onnx_recurrent.py
    *(
        case(
            name,
            (5, 2, 3),
            floats(1, gates * 4, 3),
            floats(1, gates * 4, 4),
            floats(1, gates * 8),
            hidden_size=4,
        )
        for name, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1))
    ),
    # resizing
    *(
        case(
            "Resize",
            PLANE,
            NO_REGION,
            scales,
            mode="nearest",
            coordinate_transformation_mode=way,
            nearest_mode=how,
        )
        for scales in (SCALES, HALVES, np.array([1, 1, 1.5, 1.3], dtype=np.float32))
        for way in ("asymmetric", "half_pixel")
        for how in ("floor", "round_prefer_floor")
    ),
    case("Resize", PLANE, NO_REGION, SCALES, coordinate_transformation_mode="half_pixel"),
    case("Resize", PLANE, NO_REGION, SCALES, nearest_mode="round_prefer_ceil"),
    case("Resize", PLANE, None, None, np.array([3, 4, 9, 5]), mode="linear"),
    case("Resize", PLANE, None, SCALES, mode="linear", coordinate_transformation_mode="align_corners"),
    case("Resize", PLANE, None, SCALES, mode="linear", coordinate_transformation_mode="pytorch_half_pixel"),
    case("Resize", PLANE, None, SCALES, mode="cubic", cubic_coeff_a=-0.75),
    case("Resize", PLANE, None, SCALES[2:], axes=[2, 3], opset=18, mode="linear"),
    case("Upsample", PLANE, SCALES, mode="nearest", opset=9),
]


def save_case(case: Case, path: Path) -> tuple[list[str], list[tuple[int, ...]]]:
    """Write a case's model; give the names and shapes of its inputs."""
    names, inputs, shapes, constants = [], [], [], []
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(case.dtype))
    for position, operand in enumerate(case.operands):
        name = "" if operand is None else f"operand{position}"
        names.append(name)
        if isinstance(operand, tuple):
            declared = ["batch", *operand[1:]]
            inputs.append(onnx.helper.make_tensor_value_info(name, kind, declared))
            shapes.append(operand)
        elif operand is not None:
            constants.append(onnx.numpy_helper.from_array(operand, name))
    outputs = [f"result{place}" for place in range(case.num_outputs)]
    result = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(case.result))
    node = onnx.helper.make_node(case.operation, names, outputs, name="the_node", **case.attributes)
    kinds = [result, onnx.TensorProto.INT64] if case.operation == "TopK" else [result] * case.num_outputs
    declared = [
        onnx.helper.make_tensor_value_info(output, kind, None)
        for output, kind in zip(outputs, kinds, strict=True)
    ]
    graph = onnx.helper.make_graph([node], "case", inputs, declared, constants)
    opsets = [onnx.helper.make_opsetid("", case.opset)]
    model = onnx.shape_inference.infer_shapes(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    )
    for output in model.graph.output:
        if not output.type.tensor_type.HasField("shape"):  # of an operation that ONNX does not infer
            output.type.CopyFrom(inputs[0].type)
    onnx.save(model, path)
    return [entry.name for entry in inputs], shapes


def random_input(case: Case, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Data that fit the case."""
    generator = np.random.default_rng(seed)
    if case.dtype is np.float32:
        numbers = generator.standard_normal(shape).astype(np.float32)
        return np.abs(numbers) if case.positive else numbers
    return generator.integers(0, 2 if case.dtype is np.bool_ else 8, shape).astype(case.dtype)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_an_operation_gives_what_onnxruntime_gives(case: Case, tmp_path: Path) -> None:
    names, shapes = save_case(case, tmp_path / "case.onnx")
    data = [random_input(case, shape, seed) for seed, shape in enumerate(shapes)]
    session = ort.InferenceSession(tmp_path / "case.onnx", providers=["CPUExecutionProvider"])
    wanted = session.run(None, dict(zip(names, data, strict=True)))
    module = load_onnx(tmp_path / "case.onnx")
    results = module(*(torch.from_numpy(array) for array in data))
    results = results if isinstance(results, tuple) else (results,)
    for result, expected in zip(results, wanted, strict=True):
        assert tuple(result.shape) == expected.shape
        assert result.detach().numpy().dtype == expected.dtype
        np.testing.assert_allclose(result.detach().numpy(), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_an_operation_goes_through_torch_export(case: Case, tmp_path: Path) -> None:
    save_case(case, tmp_path / "case.onnx")
    module = load_onnx(tmp_path / "case.onnx")
    inputs = example_inputs(module, batch=3)
    program = torch.export.export(module, inputs)
    for result, expected in zip(_leaves(program.module()(*inputs)), _leaves(module(*inputs)), strict=True):
        torch.testing.assert_close(result, expected, equal_nan=True)


def _leaves(results: Any) -> tuple[torch.Tensor, ...]:
    return results if isinstance(results, tuple) else (results,)


def test_every_supported_operation_is_among_the_cases() -> None:
    made_elsewhere = {"Constant", "ConstantOfShape", "Range", "Shape", "Size"}
    made_elsewhere |= {
        "QuantizeLinear",
        "DequantizeLinear",
        "Quant",
        "BipolarQuant",
        "Trunc",
    }  # test_onnx_quantised.py
    assert set(SUPPORTED_OPERATIONS) - made_elsewhere == {entry.operation for entry in CASES}
