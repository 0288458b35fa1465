"""Numbers that no model should hold: refused by name before anything is built."""

import torch

from crossloom.errors import GraphError
from crossloom.graph.onnx.steps import OnnxFile

_USES_OF_MASKS = {"Where", "Add", "Min", "Max", "Clip", "Pad", "Mul", "ConstantOfShape"}


def check_finite(file: OnnxFile) -> None:
    """Raise GraphError for constants with NaN or infinite elements.

    Minus infinity is let through where it masks: as a number or a table of two axes or more that is added,
    chosen or compared, never as a weight.
    """
    broken = [name for name, tensor in file.constants.items() if _is_broken(file, name, tensor)]
    if broken:
        names = ", ".join(repr(file.origins.get(name, name)) for name in broken)
        raise GraphError(f"{file.name}: NaN or infinite elements in {names}; train or export the model again")


def _is_broken(file: OnnxFile, name: str, tensor: torch.Tensor) -> bool:
    if not tensor.is_floating_point() or bool(torch.isfinite(tensor).all()):
        return False
    if bool(torch.isnan(tensor).any()) or (tensor.dim() == 1 and tensor.numel() > 1):
        return True
    uses = {node.operation for node in file.nodes if name in node.inputs}
    return not uses <= _USES_OF_MASKS
