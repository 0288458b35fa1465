"""Products of matrices; those with a stored matrix are linear layers."""

import torch
import torch.nn.functional as F

from crossloom.graph.onnx.registry import operation
from crossloom.graph.onnx.steps import Step


@operation("Linear", roles=("", "weight", "bias"))
def linear(
    step: Step,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    addend: torch.Tensor | None = None,
) -> torch.Tensor:
    """A Gemm or MatMul whose matrix is stored, as `[out, in]`; `addend` is a Gemm's C that is no bias."""
    result = F.linear(x.t() if step.attribute("transA", 0) else x, weight, bias)
    return result if addend is None else result + step.attribute("beta", 1.0) * addend


@operation("MatMul")
def matmul(step: Step, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Product of two computed matrices, or stacks of them."""
    return torch.matmul(first, second)


@operation("Gemm")
def gemm(
    step: Step, first: torch.Tensor, second: torch.Tensor, addend: torch.Tensor | None = None
) -> torch.Tensor:
    """alpha · A B + beta · C, where B is computed."""
    first = first.t() if step.attribute("transA", 0) else first
    second = second.t() if step.attribute("transB", 0) else second
    result = step.attribute("alpha", 1.0) * torch.matmul(first, second)
    return result if addend is None else result + step.attribute("beta", 1.0) * addend


@operation("Einsum")
def einsum(step: Step, *operands: torch.Tensor) -> torch.Tensor:
    """Sum of products by Einstein's notation."""
    return torch.einsum(step.attribute("equation"), *operands)
