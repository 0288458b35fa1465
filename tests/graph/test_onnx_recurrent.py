"""ONNX's recurrent layers give what onnxruntime gives, and what PyTorch's layers give that they came from."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from crossloom.errors import UnsupportedOperationError
from crossloom.graph import Recurrence, interpret, simplify, trace
from crossloom.graph.onnx import import_onnx, load_onnx

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

FLOAT, INT32 = 1, 6
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
KINDS = [("LSTM", {}), ("GRU", {"linear_before_reset": 0}), ("GRU", {"linear_before_reset": 1}), ("RNN", {})]


def save(
    path: Path,
    operation: str,
    direction: str = "forward",
    has_bias: bool = True,
    has_lengths: bool = False,
    has_start: bool = False,
    layout: int = 0,
    peepholes: np.ndarray | None = None,
    **attributes: Any,
) -> tuple[Path, dict[str, np.ndarray]]:
    """A file of one layer between transposes that put samples in front, and data for it."""
    random = np.random.default_rng(3)
    turns, gates = 2 if direction == "bidirectional" else 1, GATES[operation]
    num_states = 2 if operation == "LSTM" else 1

    def floats(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    constants = {"W": floats(turns, gates * 4, 3), "R": floats(turns, gates * 4, 4)}
    constants |= {"B": floats(turns, gates * 8)} if has_bias else {}
    constants |= {} if peepholes is None else {"P": peepholes}
    data = {"X": floats(6, 5, 3)}
    data |= {"lengths": np.array([5, 3, 1, 2, 5, 4], dtype=np.int32)} if has_lengths else {}
    data |= {name: floats(6, turns, 4) for name in ("H", "C")[:num_states]} if has_start else {}
    make, nodes = onnx.helper.make_node, []

    def turned(name: str, order: list[int]) -> str:
        if layout:
            return name
        nodes.append(make("Transpose", [name], [f"{name}.turned"], perm=order))
        return f"{name}.turned"

    names = [turned("X", [1, 0, 2]), "W", "R", "B" if has_bias else "", "lengths" if has_lengths else ""]
    names += [turned(name, [1, 0, 2]) if has_start else "" for name in ("H", "C")[:num_states]]
    names += ["P"] if peepholes is not None else []
    outputs = ["Y", "YH", "YC"][: num_states + 1]
    chosen = {"hidden_size": 4, "direction": direction, **({"layout": 1} if layout else {}), **attributes}
    nodes.append(make(operation, names, outputs, name="the_layer", **chosen))
    given = [turned("Y", [2, 0, 1, 3]), *(turned(name, [1, 0, 2]) for name in outputs[1:])]
    declare = onnx.helper.make_tensor_value_info
    kinds = {name: INT32 if name == "lengths" else FLOAT for name in data}
    inputs = [declare(name, kinds[name], ["batch", *array.shape[1:]]) for name, array in data.items()]
    results = [declare(name, FLOAT, [None] * (3 if number else 4)) for number, name in enumerate(given)]
    stored = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = onnx.helper.make_graph(nodes, "graph", inputs, results, stored)
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path, data


@pytest.mark.parametrize(("operation", "attributes"), KINDS, ids=str)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_a_layer_gives_what_onnxruntime_gives(operation, attributes, direction, tmp_path):
    for has_bias, has_lengths, has_start in product((False, True), repeat=3):
        path, data = save(
            tmp_path / "layer.onnx", operation, direction, has_bias, has_lengths, has_start, **attributes
        )
        wanted = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, data)
        found = load_onnx(path)(*(torch.from_numpy(array) for array in data.values()))
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("operation", GATES)
def test_layout_1_has_samples_in_front(operation, tmp_path):
    plain, data = save(tmp_path / "plain.onnx", operation, "bidirectional", has_start=True)
    turned, _ = save(tmp_path / "turned.onnx", operation, "bidirectional", has_start=True, layout=1)
    inputs = [torch.from_numpy(array) for array in data.values()]
    first, second = load_onnx(plain)(*inputs), load_onnx(turned)(*inputs)
    for ours, theirs in zip(second, first, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_rectifier_in_rnn_is_taken_over(tmp_path):
    path, data = save(tmp_path / "layer.onnx", "RNN", activations=["Relu"])
    wanted = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, data)
    found = load_onnx(path)(*(torch.from_numpy(array) for array in data.values()))
    np.testing.assert_allclose(found[0].detach().numpy(), wanted[0], rtol=1e-4, atol=1e-5)


def test_the_graph_has_the_matrices_of_the_layer(tmp_path):
    path, data = save(tmp_path / "layer.onnx", "GRU", "bidirectional", has_lengths=True)
    inputs = tuple(torch.from_numpy(array) for array in data.values())
    graph = simplify(import_onnx(path, inputs))
    assert [node.name for node in graph.matrices] == [
        *("ih_l0", "hh_l0", "hn_l0"),
        *("ih_l0_reverse", "hh_l0_reverse", "hn_l0_reverse"),
    ]
    assert all(node.lengths is not None for node in graph.nodes if isinstance(node, Recurrence))
    for ours, theirs in zip(interpret(graph, inputs), load_onnx(path)(*inputs), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("operation", "choices", "reason"),
    [
        ("LSTM", {"peepholes": np.ones((1, 12), dtype=np.float32)}, "peepholes"),
        ("LSTM", {"clip": 1.0}, "its clip attribute"),
        ("LSTM", {"input_forget": 1}, "input_forget=1"),
        ("GRU", {"activations": ["HardSigmoid", "Tanh"]}, r"activations=\['HardSigmoid', 'Tanh'\]"),
        ("RNN", {"activations": ["Relu", "Tanh"], "direction": "bidirectional"}, "activations="),
    ],
)
def test_other_cells_are_refused_by_name(operation, choices, reason, tmp_path):
    path, _ = save(tmp_path / "layer.onnx", operation, **choices)
    with pytest.raises(
        UnsupportedOperationError, match=rf"{operation} \(node 'the_layer', opset 17\): .*{reason}"
    ):
        load_onnx(path)


def test_peepholes_of_zero_are_none(tmp_path):
    path, data = save(tmp_path / "layer.onnx", "LSTM", peepholes=np.zeros((1, 12), dtype=np.float32))
    plain, _ = save(tmp_path / "plain.onnx", "LSTM")
    x = torch.from_numpy(data["X"])
    assert torch.equal(load_onnx(path)(x)[0], load_onnx(plain)(x)[0])


class Words(nn.Module):
    """Tokens through recurrent layers to classes."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 5)
        self.rnn = kind(5, 4, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(self.embedding(tokens))[0].mean(1))


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_the_routes_by_onnx_and_by_pytorch_agree(kind, dynamo, tmp_path):
    torch.manual_seed(0)
    model, tokens = Words(kind).eval(), torch.randint(0, 20, (4, 7))
    torch.onnx.export(model, (tokens,), tmp_path / "words.onnx", dynamo=dynamo, verbose=False)
    graph, traced = simplify(import_onnx(tmp_path / "words.onnx", (tokens,))), simplify(trace(model, tokens))
    assert len(graph.matrices) == len(traced.matrices) == 9
    pairs = zip(graph.matrices, traced.matrices, strict=True)
    for ours, theirs in pairs:
        assert torch.equal(graph.tensors[ours.weight], traced.tensors[theirs.weight])
    torch.testing.assert_close(interpret(graph, (tokens,)), interpret(traced, (tokens,)))
