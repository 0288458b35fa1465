"""What can be taken over, and the refusal that names everything that cannot, at once."""

from collections.abc import Iterator

from crossloom.errors import UnsupportedOperationError
from crossloom.graph.onnx import operations
from crossloom.graph.onnx.registry import OPERATIONS, REFUSALS, SIZE_OPERATIONS
from crossloom.graph.onnx.steps import Constants, OnnxFile, OnnxNode

_QONNX = {"Quant", "BipolarQuant", "Trunc"}
_QONNX_DOMAINS = {"qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"}
_OWN = {"Linear"}  # ours, not ONNX's: a Gemm or MatMul with a stored matrix

assert operations.__all__  # importing it filled the registry

SUPPORTED_OPERATIONS: tuple[str, ...] = tuple(
    sorted({*OPERATIONS, *SIZE_OPERATIONS, "Constant", "Upsample"} - _OWN)
)


def reason_against(node: OnnxNode, constants: Constants) -> str | None:
    """Why this node cannot be taken over, or None."""
    subgraphs = node.attributes.get("subgraphs")
    if subgraphs:
        return "it holds a subgraph; crossloom runs graphs without branches and loops"
    if node.domain not in ("", "ai.onnx") and (
        node.operation not in _QONNX or node.domain not in _QONNX_DOMAINS
    ):
        return f"its domain {node.domain!r} is not ONNX's own"
    if node.operation not in OPERATIONS and node.operation not in SIZE_OPERATIONS:
        return "the operation is not supported"
    refuse = REFUSALS.get(node.operation)
    reason = refuse(node, constants) if refuse else None
    return f"this form of it is not supported: {reason}" if reason else _unsupported_output(node)


def _unsupported_output(node: OnnxNode) -> str | None:
    """Outputs beyond the first are used, where only the first is computed."""
    entry = OPERATIONS.get(node.operation)
    if entry is None or entry.num_outputs is None:
        return None
    extra = [name for name in node.outputs[entry.num_outputs :] if name]
    return f"its output {extra[0]!r} is not supported" if extra else None


def check_supported(file: OnnxFile) -> None:
    """Raise UnsupportedOperationError with every node that cannot be taken over, if there is one."""
    refuse_all(file.name, _problems(file))


def _problems(file: OnnxFile) -> Iterator[str]:
    for node in file.nodes:
        reason = reason_against(node, file.constants)
        if reason:
            yield f"{node.title}: {reason}"


def refuse_all(name: str, problems: Iterator[str]) -> None:
    """Raise UnsupportedOperationError listing the problems, if there are any."""
    lines = list(problems)
    if lines:
        count = "1 operation" if len(lines) == 1 else f"{len(lines)} operations"
        advice = "replace them in the model, or run that part outside crossloom"
        raise UnsupportedOperationError(
            f"{name}: {count} cannot be taken over; {advice}\n  " + "\n  ".join(lines)
        )
