"""The module that runs an ONNX graph by torch functions."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from crossloom.errors import GraphError
from crossloom.graph.onnx.names import identifier_of
from crossloom.graph.onnx.planning import Plan
from crossloom.graph.onnx.registry import OPERATIONS, SIZE_OPERATIONS
from crossloom.graph.onnx.sizes import tensor_of
from crossloom.graph.onnx.steps import Fixed, OnnxInput, Operand, Step, Stored


class _Layer(nn.Module):
    """A place for parameters, and for steps to run in, so that an exported program names their layer."""

    def forward(self, function: Callable[..., Any], step: Step, operands: Sequence[Any]) -> Any:
        return function(step, *operands)


class OnnxModule(nn.Module):
    """An ONNX graph as a module, made by `load_onnx`.

    Its call takes the graph's inputs in order, or by their names, and gives the output, or a tuple of them.
    Parameters and buffers have PyTorch's names as far as the file tells them. `inputs` describes the inputs;
    `opset` is the version of ONNX's operations it was read in. `torch.export.export` takes it as it is.
    """

    def __init__(self, inputs: tuple[OnnxInput, ...], plan: Plan, opset: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.outputs = plan.outputs
        self.steps = plan.steps
        self.opset = opset
        for name, tensor in plan.parameters.items():
            owner, _, last = name.rpartition(".")
            self._layer(owner).register_parameter(last, nn.Parameter(tensor))
        for name, tensor in plan.buffers.items():
            owner, _, last = name.rpartition(".")
            self._layer(owner).register_buffer(last, tensor)
        for step in plan.steps:
            self._layer(step.layer)
        self.eval()

    @property
    def forward(self) -> Callable[..., Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Run the graph; the signature has the graph's own inputs, as torch.export wants it."""

        def forward(*inputs: torch.Tensor, **by_name: torch.Tensor) -> Any:
            return self.run(signature.bind(*inputs, **by_name).args)

        names = dict.fromkeys(identifier_of(entry.name) for entry in self.inputs)
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        signature = inspect.Signature([inspect.Parameter(name, kind) for name in names])
        forward.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
        return forward

    def run(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """The steps one after the other."""
        values: dict[str, Any] = dict(zip((entry.name for entry in self.inputs), inputs, strict=True))
        for step in self.steps:
            operands = [self._fetch(operand, values) for operand in step.operands]
            result = self._run_on_sizes(step, operands) if step.on_sizes else self._run_step(step, operands)
            results = result if isinstance(result, tuple | list) else (result,)
            values.update(zip(step.outputs, results, strict=False))
        results = tuple(self._as_tensor(self._fetch(output, values)) for output in self.outputs)
        return results[0] if len(results) == 1 else results

    def extra_repr(self) -> str:
        """Inputs and number of steps, for print."""
        return f"inputs={[entry.name for entry in self.inputs]}, steps={len(self.steps)}, opset={self.opset}"

    def _layer(self, path: str) -> nn.Module:
        """The module at a path, made if there is none; the module itself where a tensor is in the way."""
        module: nn.Module = self
        for part in path.split(".") if path else ():
            if not hasattr(module, part):
                module.add_module(part, _Layer())
            module = getattr(module, part)
            if not isinstance(module, nn.Module):
                return self
        return module

    def _fetch(self, operand: Operand, values: dict[str, Any]) -> Any:
        if operand is None:
            return None
        if isinstance(operand, Fixed):
            return operand.value
        if isinstance(operand, Stored):
            return self._stored(operand.name)
        return values[operand.name]

    def _stored(self, name: str) -> torch.Tensor:
        owner, _, last = name.rpartition(".")
        return getattr(self.get_submodule(owner), last)

    def _run_on_sizes(self, step: Step, operands: list[Any]) -> Any:
        return SIZE_OPERATIONS[step.operation](step, *operands)

    def _run_step(self, step: Step, operands: list[Any]) -> Any:
        """A step on tensors, in its layer; sizes become numbers or tensors where it takes no sizes."""
        entry = OPERATIONS[step.operation]
        operands = [
            operand if position in entry.fixed else self._as_tensor(operand, entry.takes_numbers)
            for position, operand in enumerate(operands)
        ]
        layer = self._layer(step.layer)
        try:
            if isinstance(layer, _Layer):
                return layer(entry.function, step, operands)
            return entry.function(step, *operands)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            place = f"{step.operation} that gives {step.outputs[0]!r}"
            shapes = [tuple(operand.shape) for operand in operands if isinstance(operand, torch.Tensor)]
            raise GraphError(f"{place} cannot run on shapes {shapes}: {error}") from error

    def _as_tensor(self, operand: Any, takes_numbers: bool = False) -> Any:
        if not isinstance(operand, np.ndarray):
            return operand
        return operand.item() if takes_numbers and operand.ndim == 0 else tensor_of(operand)
