"""From the nodes of a file to steps: each operand is found once, before anything runs."""

from dataclasses import dataclass

import numpy as np
import torch

from crossloom.errors import UnsupportedOperationError
from crossloom.graph.onnx.names import parent_of
from crossloom.graph.onnx.preparing import PREPARATIONS, Prepared, Weight
from crossloom.graph.onnx.registry import OPERATIONS, SIZE_OPERATIONS
from crossloom.graph.onnx.steps import Fixed, OnnxFile, OnnxNode, Operand, Step, Stored, Value
from crossloom.graph.onnx.storing import Store

_LARGEST_SIZES = 64  # elements of a constant that takes part in arithmetic on sizes


@dataclass(frozen=True)
class Plan:
    """The steps in order, the tensors they use, and the outputs as operands."""

    steps: tuple[Step, ...]
    outputs: tuple[Operand, ...]
    parameters: dict[str, torch.Tensor]
    buffers: dict[str, torch.Tensor]


def plan_steps(file: OnnxFile) -> Plan:
    """Resolve every node of a file that is supported.

    Raises UnsupportedOperationError where a shape, axis or scale depends on data.
    """
    planner = _Planner(file)
    steps = tuple(planner.step(node) for node in file.nodes)
    if planner.problems:
        raise UnsupportedOperationError(f"{file.name}: " + "; ".join(planner.problems))
    outputs = tuple(planner.output(name) for name in file.outputs)
    return Plan(steps, outputs, planner.store.parameters, planner.store.buffers)


class _Planner:
    """What is known while the nodes are gone through in order."""

    def __init__(self, file: OnnxFile) -> None:
        self.file = file
        self.store = Store(file)
        self.sizes: set[str] = set()
        self.problems: list[str] = []

    def step(self, node: OnnxNode) -> Step:
        """One node as a step, on sizes or on tensors."""
        if self._is_on_sizes(node):
            self.sizes.update(name for name in node.outputs if name)
            operands = tuple(self._size_operand(name) for name in node.inputs)
            return Step(node.operation, "", operands, node.outputs, node.attributes, node.opset, True)
        prepare = PREPARATIONS.get(node.operation)
        prepared = prepare(node, self.file.constants, self.file.origins) if prepare else None
        prepared = prepared or Prepared(node.operation, node.inputs, node.attributes)
        operands = tuple(
            self._tensor_operand(node, prepared, position) for position in range(len(prepared.operands))
        )
        layer = self._layer_of_step(node, prepared, operands)
        return Step(prepared.operation, layer, operands, node.outputs, prepared.attributes, node.opset)

    def output(self, name: str) -> Operand:
        """An output of the graph, which may be a constant."""
        constant = self.file.constants.get(name)
        return Value(name) if constant is None else self.store.keep(name, constant, "", "")

    def _is_on_sizes(self, node: OnnxNode) -> bool:
        """Whether a node does arithmetic on sizes: it takes them from a tensor, or has only such operands."""
        if node.operation not in SIZE_OPERATIONS:
            return False
        if node.operation in ("Shape", "Size") or node.operation not in OPERATIONS:
            return True
        names = [name for name in node.inputs if name]
        others = [name for name in names if name not in self.sizes]
        return len(others) < len(names) and all(self._is_small(name) for name in others)

    def _is_small(self, name: str) -> bool:
        constant = self.file.constants.get(name)
        return constant is not None and constant.dim() <= 1 and constant.numel() <= _LARGEST_SIZES

    def _size_operand(self, name: str) -> Operand:
        if not name:
            return None
        constant = self.file.constants.get(name)
        return Value(name) if constant is None else Fixed(_array_of(constant))

    def _tensor_operand(self, node: OnnxNode, prepared: Prepared, position: int) -> Operand:
        """An operand of work on tensors: a value, a stored tensor, or an array or number fixed at load."""
        operand, entry = prepared.operands[position], OPERATIONS[prepared.operation]
        if isinstance(operand, Weight):
            role = entry.role(position)
            return self.store.keep(operand.constant, operand.tensor, node.layer, role, operand.form)
        if not operand:
            return None
        constant = self.file.constants.get(operand)
        if position in entry.fixed:
            return self._fixed_operand(node, operand, constant)
        if constant is None:
            return Value(operand)
        if entry.takes_numbers and constant.dim() == 0:
            return Fixed(constant.item())
        return self.store.keep(operand, constant, node.layer, entry.role(position))

    def _fixed_operand(self, node: OnnxNode, name: str, constant: torch.Tensor | None) -> Operand:
        """A shape, axis or scale: from a constant, or from sizes; it must not depend on data."""
        if constant is not None:
            return Fixed(_array_of(constant))
        if name not in self.sizes:
            self.problems.append(
                f"{node.title}: its operand {name!r} must not depend on the input's elements"
            )
        return Value(name)

    def _layer_of_step(self, node: OnnxNode, prepared: Prepared, operands: tuple[Operand, ...]) -> str:
        """The module's path: from a weight's name, else what the file notes, else from any tensor's name.

        Exporters note the batch norm at a convolution that they folded it into, so the weight's name wins.
        """
        entry = OPERATIONS[prepared.operation]
        stored = [
            (place, operand.name) for place, operand in enumerate(operands) if isinstance(operand, Stored)
        ]
        weights = [parent_of(name) for place, name in stored if entry.role(place)]
        others = [parent_of(name) for _, name in stored]
        return next((path for path in (*weights, node.layer, *others) if path), "")


def _array_of(constant: torch.Tensor) -> np.ndarray:
    """A constant as an array; half precision that numpy lacks becomes single."""
    return (constant.float() if constant.dtype == torch.bfloat16 else constant).numpy()
