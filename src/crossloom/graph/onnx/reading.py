"""From a file to plain data: parsed, checked, brought to a known opset, inlined and folded."""

from pathlib import Path
from typing import Any

from crossloom.errors import GraphError, UnsupportedOperationError
from crossloom.graph.onnx.libraries import import_library

OLDEST_OPSET = 13  # older files are converted to it
_QUANTISERS = {"QuantizeLinear", "DequantizeLinear"}  # stay, since their scales are taken over
_MOVES_ELEMENTS = {"Transpose", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"}


def read_model(path: Path) -> tuple[Any, dict[str, str]]:
    """Read a file as an `onnx_ir.Model` of opset 13 or newer without functions and constant parts.

    The second result tells which constants come from which initialiser, as `OnnxFile.origins` has it.
    Batch norms and other operations stay as they are in the file: only what depends on no input is computed.
    Raises GraphError if the file is missing, is no ONNX file, breaks ONNX's rules or cannot be converted.
    """
    check_file(path)
    model = _without_functions(import_library("onnx_ir").load(path), path)
    model = convert(model, path)
    origins = origins_of(model)
    return fold(model, path), origins


def check_file(path: Path) -> None:
    """Refuse what is missing, cannot be parsed, or is not valid by ONNX's own checker."""
    if not path.is_file():
        raise GraphError(f"{path}: there is no such file")
    onnx = import_library("onnx")
    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf raises several kinds
        raise GraphError(f"{path}: not an ONNX file, or cut short ({_first_line(error)})") from error
    if not proto.graph.node or not proto.opset_import:
        raise GraphError(f"{path}: not an ONNX file, or cut short: it holds no operations")
    _refuse_unknown(onnx, proto, path)
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:
        raise GraphError(f"{path}: not a valid ONNX model ({_first_line(error)})") from error


def _refuse_unknown(onnx: Any, proto: Any, path: Path) -> None:
    """Name operations that ONNX itself does not know, which its checker would call an invalid model."""
    own = {"", "ai.onnx"}
    opset = next((entry.version for entry in proto.opset_import if entry.domain in own), 1)
    functions = {(function.domain, function.name) for function in proto.functions}
    unknown = [
        f"{node.op_type} (node {node.name!r}, opset {opset})"
        for node in proto.graph.node
        if node.domain in own
        and (node.domain, node.op_type) not in functions
        and not onnx.defs.has(node.op_type, max_inclusive_version=opset, domain="")
    ]
    if unknown:
        raise UnsupportedOperationError(f"{path}: ONNX knows no operation {', '.join(unknown)}")


def _without_functions(model: Any, path: Path) -> Any:
    """The model with its own functions written out."""
    passes = import_library("onnx_ir.passes.common")
    try:
        if model.functions:
            passes.InlinePass()(model)
        passes.RemoveInitializersFromInputsPass()(model)
    except Exception as error:
        raise GraphError(f"{path}: its functions cannot be written out ({_first_line(error)})") from error
    return model


def opset_of(model: Any) -> int:
    """The version of ONNX's own operations that a model uses."""
    versions = model.graph.opset_imports
    return versions.get("", versions.get("ai.onnx", 1))


def convert(model: Any, path: Path) -> Any:
    """Bring a model older than opset 13 to it, by ONNX's converter."""
    opset = opset_of(model)
    if opset >= OLDEST_OPSET:
        return model
    ir, converter = import_library("onnx_ir"), import_library("onnx.version_converter")
    try:
        return ir.from_proto(converter.convert_version(ir.to_proto(model), OLDEST_OPSET))
    except Exception as error:
        reason = f"cannot be converted from opset {opset} to {OLDEST_OPSET} ({_first_line(error)})"
        advice = f"export the model again with opset {OLDEST_OPSET} or newer"
        raise GraphError(f"{path}: {reason}; {advice}") from error


def origins_of(model: Any) -> dict[str, str]:
    """For each initialiser, and each value that only moves one's elements: the initialiser's name."""
    origins = {name: name for name in model.graph.initializers}
    for node in model.graph:
        source = node.inputs[0].name if node.inputs and node.inputs[0] is not None else None
        if node.op_type in _MOVES_ELEMENTS and source in origins:
            origins[node.outputs[0].name] = origins[source]
    return origins


def fold(model: Any, path: Path) -> Any:
    """Compute what depends on no input, and drop what nothing uses."""
    optimizer = import_library("onnxscript.optimizer")
    passes = import_library("onnx_ir.passes.common")
    try:
        optimizer.fold_constants(
            model, onnx_shape_inference=True, should_fold=lambda node: node.op_type not in _QUANTISERS
        )
        passes.RemoveUnusedNodesPass()(model)
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        passes.IdentityEliminationPass()(model)
        passes.TopologicalSortPass()(model)
    except Exception as error:
        raise GraphError(f"{path}: its constant parts cannot be computed ({_first_line(error)})") from error
    return model


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
