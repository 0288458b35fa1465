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


def memory_order(values: torch.Tensor) -> torch.memory_format:
    """How values lie in memory: in the order of their axes, unless they are images with channels last."""
    is_by_pixel = values.dim() == 4 and not values.is_contiguous()
    is_by_pixel = is_by_pixel and values.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if is_by_pixel else torch.contiguous_format


def channels_last(codes: Codes) -> Codes:
    """The same images with the channels of a pixel side by side in memory, where convolutions are faster that way."""
    values = codes.values
    if not isinstance(codes, WindowedCodes) or codes.window.num_axes != 2 or values.device.type != "cpu":
        return codes
    if memory_order(values) == torch.channels_last:
        return codes
    by_pixel = values.flatten(2).transpose(1, 2).contiguous()  # three times as fast as asking for the format
    return codes.with_values(by_pixel.unflatten(1, values.shape[2:]).movedim(-1, 1))


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
