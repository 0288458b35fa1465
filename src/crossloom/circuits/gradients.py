"""Products of codes with a matrix, and what they are differentiated by: dense, or a window sliding over an image."""

import torch
from torch.nn import functional

from crossloom.circuits.product import product
from crossloom.hardware import Codes, WindowedCodes

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def multiply(
    codes: Codes, matrix: torch.Tensor, bias: torch.Tensor | None = None, groups: int = 1
) -> torch.Tensor:
    """`product`, also for windows whose channels come in groups: `matrix` [output, input of one group]."""
    if groups == 1:
        return product(codes, matrix, bias)
    assert isinstance(codes, WindowedCodes)
    window = codes.window
    convolution = _CONVOLUTIONS[window.num_axes]
    kernels = _kernels(codes, matrix, groups)
    return convolution(codes.values, kernels, bias, window.stride, window.padding, window.dilation, groups)


def gradient_of_codes(
    grad: torch.Tensor, matrix: torch.Tensor, codes: Codes, groups: int = 1
) -> torch.Tensor:
    """What the codes' values are differentiated by; `grad` [vector, output, *positions] is the products'."""
    if isinstance(codes, WindowedCodes):
        return _convolved(grad, codes, _kernels(codes, matrix, groups), groups, (True, False))[0]
    if grad.dim() == 2:
        return grad @ matrix
    return torch.matmul(matrix.T, grad.flatten(2)).unflatten(2, grad.shape[2:])


def gradient_of_matrix(grad: torch.Tensor, codes: Codes, groups: int = 1) -> torch.Tensor:
    """What the matrix is differentiated by, [output, input of one group]."""
    if isinstance(codes, WindowedCodes):
        shape = (grad.shape[1], codes.values.shape[1] // groups, *codes.window.kernel)
        kernels = grad.new_empty(shape)
        return _convolved(grad, codes, kernels, groups, (False, True))[1].flatten(1)
    if grad.dim() == 2:
        return grad.T @ codes.values
    return torch.einsum("vop,vip->oi", grad.flatten(2), codes.values.flatten(2))


def _kernels(codes: WindowedCodes, matrix: torch.Tensor, groups: int) -> torch.Tensor:
    return matrix.view(len(matrix), codes.values.shape[1] // groups, *codes.window.kernel)


def _convolved(
    grad: torch.Tensor, codes: WindowedCodes, kernels: torch.Tensor, groups: int, wanted: tuple[bool, bool]
) -> tuple[torch.Tensor, torch.Tensor]:
    window = codes.window
    return torch.ops.aten.convolution_backward(
        grad, codes.values, kernels, None,
        window.stride, window.padding, window.dilation, False, [0] * window.num_axes, groups, [*wanted, False],
    )[:2]  # fmt: skip
