"""`load_onnx`: the one way from a file to a module."""

from pathlib import Path

from crossloom.errors import GraphError
from crossloom.graph.onnx.checking import check_finite
from crossloom.graph.onnx.module import OnnxModule
from crossloom.graph.onnx.planning import plan_steps
from crossloom.graph.onnx.reading import read_model
from crossloom.graph.onnx.support import check_supported
from crossloom.graph.onnx.translating import translate


def load_onnx(path: str | Path) -> OnnxModule:
    """Read an ONNX file into a module of torch functions, in eval mode.

    Files of opset 13 or newer are taken as they are, older ones are converted to 13 by ONNX's converter.
    Constant parts are computed; batch norms are not folded, so weights keep their bits. Raises GraphError
    if the file is missing, cut short, not valid, or holds NaN or infinite weights; UnsupportedOperationError
    naming every operation that cannot be taken over; MissingDependencyError without the extra `onnx`.
    """
    path = Path(path)
    model, origins = read_model(path)
    file = translate(model, origins, path)
    check_supported(file)
    check_finite(file)
    if not file.inputs:
        raise GraphError(f"{path}: the graph has no inputs, so there is nothing to compute")
    return OnnxModule(file.inputs, plan_steps(file), file.opset)
