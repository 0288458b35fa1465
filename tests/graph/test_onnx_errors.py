"""What is wrong with a file is said before anything runs, with the file's and the node's name."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossloom.errors import GraphError, MissingDependencyError, UnsupportedOperationError
from crossloom.graph.onnx import load_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

FLOAT = 1


def node(operation: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    """A node that is named after its operation."""
    return onnx.helper.make_node(operation, inputs, outputs, name=f"the_{operation}", **attributes)


def save(path: Path, nodes: list[Any], opset: int = 17, **constants: np.ndarray) -> Path:
    """Write a model from `x` `[batch, 4, 6, 6]` to `y`."""
    make = onnx.helper.make_tensor_value_info
    inputs = [make("x", FLOAT, ["batch", 4, 6, 6])]
    outputs = [make("y", FLOAT, ["batch", None, None, None])]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = onnx.helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    opsets = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("com.example", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"absent\.onnx: there is no such file"):
        load_onnx(tmp_path / "absent.onnx")


@pytest.mark.parametrize("content", [b"", b"hello, I am text", b"\x08\x07\x12"])
def test_a_file_that_is_no_onnx_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(content)
    with pytest.raises(GraphError, match=r"broken\.onnx: not an ONNX file, or cut short"):
        load_onnx(tmp_path / "broken.onnx")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(share: float, tmp_path: Path) -> None:
    weight = np.ones((4, 4, 3, 3), dtype=np.float32)
    path = save(tmp_path / "cut.onnx", [node("Conv", ["x", "w"], ["y"])], w=weight)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(GraphError, match=r"cut\.onnx: not a"):
        load_onnx(path)


def test_a_graph_that_breaks_the_rules_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "loose.onnx", [node("Relu", ["nowhere"], ["y"])])
    with pytest.raises(GraphError, match=r"loose\.onnx: not a valid ONNX model"):
        load_onnx(path)


def test_missing_external_data_are_refused(tmp_path: Path) -> None:
    weight = np.ones((4, 4, 3, 3), dtype=np.float32)
    path = save(tmp_path / "model.onnx", [node("Conv", ["x", "w"], ["y"])], w=weight)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="data.bin", size_threshold=0)
    load_onnx(path)
    (tmp_path / "data.bin").unlink()
    with pytest.raises(GraphError, match=r"model\.onnx.*data\.bin"):
        load_onnx(path)


def test_all_unsupported_operations_are_named_at_once(tmp_path: Path) -> None:
    nodes = [
        node("Det", ["x"], ["a"]),
        node("Relu", ["x"], ["b"]),
        node("Fancy", ["b"], ["c"], domain="com.example"),
        node("NonMaxSuppression", ["b", "c"], ["d"]),
        node("Add", ["a", "c"], ["e"]),
        node("Add", ["e", "d"], ["y"]),
    ]
    with pytest.raises(UnsupportedOperationError) as caught:
        load_onnx(save(tmp_path / "many.onnx", nodes))
    message = str(caught.value)
    assert "many.onnx: 3 operations cannot be taken over" in message
    assert "Det (node 'the_Det', opset 17)" in message
    assert "com.example.Fancy (node 'the_Fancy'" in message
    assert "NonMaxSuppression (node 'the_NonMaxSuppression'" in message


def test_an_operation_that_onnx_does_not_know_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperationError, match=r"no operation Frobnicate \(node 'the_Frobnicate'"):
        load_onnx(save(tmp_path / "odd.onnx", [node("Frobnicate", ["x"], ["y"])]))


def test_branches_are_refused_by_name(tmp_path: Path) -> None:
    make = onnx.helper.make_tensor_value_info
    branches = [
        onnx.helper.make_graph([node(kind, ["x"], [f"r{kind}"])], kind, [], [make(f"r{kind}", FLOAT, None)])
        for kind in ("Relu", "Tanh")
    ]
    for branch in branches:
        branch.output[0].type.tensor_type.shape.SetInParent()
    nodes = [
        node("ReduceMax", ["x"], ["top"], keepdims=0),
        node("Cast", ["top"], ["flag"], to=9),
        node("If", ["flag"], ["y"], then_branch=branches[0], else_branch=branches[1]),
    ]
    with pytest.raises(
        UnsupportedOperationError, match=r"If \(node 'the_If', opset 17\): it holds a subgraph"
    ):
        load_onnx(save(tmp_path / "branch.onnx", nodes))


SCALES = np.array([1, 1, 2, 2], dtype=np.float32)
FORMS = [
    (
        node(
            "Resize", ["x", "", "scales"], ["y"], mode="linear", coordinate_transformation_mode="asymmetric"
        ),
        "asymmetric",
    ),
    (node("Resize", ["x", "", "scales"], ["y"], mode="cubic", cubic_coeff_a=-0.5), "cubic_coeff_a"),
    (node("MaxPool", ["x"], ["y", "z"], kernel_shape=[2, 2]), None),
    (node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], pads=[0, 0, 1, 1], ceil_mode=1), "ceil_mode"),
    (node("ConvTranspose", ["x", "weight"], ["y"], auto_pad="SAME_UPPER"), "SAME_UPPER"),
    (node("ArgMax", ["x"], ["index"], select_last_index=1), "select_last_index"),
    (node("LRN", ["x"], ["y"], size=4), "size=4"),
    (node("Dropout", ["x", "ratio", "yes"], ["y"]), "eval mode"),
    (node("Cast", ["x"], ["index"], to=12), "element type 12"),
]


@pytest.mark.parametrize(("operation", "reason"), FORMS, ids=lambda value: getattr(value, "op_type", ""))
def test_forms_that_torch_does_not_have_are_refused_by_name(
    operation: Any, reason: str, tmp_path: Path
) -> None:
    nodes = [operation]
    if "index" in operation.output:
        nodes.append(node("Cast", ["index"], ["y"], to=1))
    if "z" in operation.output:
        nodes = [operation, node("Cast", ["z"], ["w"], to=1)]
        nodes[0].output[0], nodes[1].output[0] = "v", "y"
        reason = "its output 'z'"
    constants = {"scales": SCALES, "weight": np.ones((4, 4, 3, 3), np.float32)}
    extras = {"ratio": np.array(0.5, np.float32), "yes": np.array(True)}
    used = {name for entry in nodes for name in entry.input}
    kept = {name: array for name, array in {**constants, **extras}.items() if name in used}
    with pytest.raises(UnsupportedOperationError, match=f"the_{operation.op_type}.*{reason}"):
        load_onnx(save(tmp_path / "form.onnx", nodes, **kept))


def test_a_shape_that_depends_on_data_is_refused(tmp_path: Path) -> None:
    nodes = [
        node("ReduceMax", ["x"], ["top"], keepdims=0),
        node("Cast", ["top"], ["number"], to=7),
        node("Unsqueeze", ["number", "axis"], ["shape"]),
        node("Reshape", ["x", "shape"], ["y"]),
    ]
    with pytest.raises(UnsupportedOperationError, match=r"the_Reshape.*'shape' must not depend on"):
        load_onnx(save(tmp_path / "data.onnx", nodes, axis=np.array([0])))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_by_name(number: float, tmp_path: Path) -> None:
    weight = np.ones((4, 4, 3, 3), dtype=np.float32)
    weight[1, 2, 0, 1] = number
    path = save(
        tmp_path / "sick.onnx", [node("Conv", ["x", "layer.weight"], ["y"])], **{"layer.weight": weight}
    )
    with pytest.raises(GraphError, match=r"sick\.onnx: NaN or infinite elements in 'layer\.weight'"):
        load_onnx(path)


def test_minus_infinity_may_mask(tmp_path: Path) -> None:
    mask = np.triu(np.full((6, 6), -np.inf, dtype=np.float32), 1)
    load_onnx(save(tmp_path / "mask.onnx", [node("Add", ["x", "mask"], ["y"])], mask=mask))


def test_an_old_file_is_converted(tmp_path: Path) -> None:
    module = load_onnx(save(tmp_path / "old.onnx", [node("Softmax", ["x"], ["y"], axis=3)], opset=9))
    assert module.opset == 13


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = save(tmp_path / "model.onnx", [node("Relu", ["x"], ["y"])])

    def refuse(name: str, package: str | None = None) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(MissingDependencyError, match=r"pip install 'crossloom\[onnx\]'"):
        load_onnx(path)


def test_importing_the_package_needs_no_onnx_library() -> None:
    import subprocess
    import sys

    check = (
        "import sys, crossloom.graph.onnx; sys.exit(any(name in sys.modules for name in ('onnx', 'onnx_ir')))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
