"""Products of codes with a matrix: dense, or a window sliding over an image."""

from contextlib import contextmanager

import torch
from torch.nn import functional

from crossloom.hardware import Codes, DenseCodes, WindowedCodes

_CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def product(codes: Codes, weights: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Multiply every input vector with `weights` [output, input]: [vector, output, *positions].

    On a CPU, windows go through a direct convolution, which adds up integers exactly; on other devices they
    are laid out first, since their convolutions may trade exactness for speed.
    """
    if isinstance(codes, WindowedCodes):
        if codes.values.device.type == "cpu":
            return _convolve(codes, weights, bias)
        codes = codes.dense()
    assert isinstance(codes, DenseCodes)
    with _full_precision():
        if codes.values.dim() == 2:
            return functional.linear(codes.values, weights, bias)
        sums = torch.matmul(weights, codes.values.flatten(2)).unflatten(2, codes.values.shape[2:])
    return sums if bias is None else sums + bias.view(-1, *[1] * (sums.dim() - 2))


def _convolve(codes: WindowedCodes, weights: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    window = codes.window
    kernels = weights.view(len(weights), codes.values.shape[1], *window.kernel)
    convolution = _CONVOLUTIONS[window.num_axes]
    return convolution(codes.values, kernels, bias, window.stride, window.padding, window.dilation)


@contextmanager
def _full_precision():
    """No reduced precision on accelerators, whatever the user allows elsewhere."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
