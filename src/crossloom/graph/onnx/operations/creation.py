"""Tensors made from sizes alone."""

import numpy as np
import torch

from crossloom.graph.onnx.registry import operation
from crossloom.graph.onnx.steps import Step


@operation("ConstantOfShape", fixed=(0,))
def constant_of_shape(step: Step, shape: np.ndarray) -> torch.Tensor:
    """One value in every element."""
    value = step.attribute("value", torch.zeros(1))
    return torch.full(shape.reshape(-1).tolist(), value.reshape(-1).tolist()[0], dtype=value.dtype)


@operation("Range", fixed=(0, 1, 2))
def range_(step: Step, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> torch.Tensor:
    """Evenly spaced numbers."""
    numbers = [bound.reshape(-1).tolist()[0] for bound in (start, limit, delta)]
    is_whole = all(isinstance(number, int | torch.SymInt) for number in numbers)
    return torch.arange(*numbers, dtype=torch.int64 if is_whole else torch.float32)
