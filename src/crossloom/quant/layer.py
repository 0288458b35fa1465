"""One quantised matrix operation: integer weights, and the steps that give codes their values."""

from dataclasses import dataclass
from functools import cached_property

import torch

from crossloom.artefacts import saved


def code_range(bits: int, is_signed: bool) -> tuple[int, int]:
    """The lowest and the highest code: symmetric when signed.

    >>> code_range(4, True), code_range(4, False)
    ((-7, 7), (0, 15))
    """
    return (-(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)


@saved
@dataclass(frozen=True)
class QuantizedLayer:
    """Integer weights [out, ...], a weight step per output, and the quantiser of the input.

    weight: int16 codes in -(2^(weight_bits-1) - 1) ... 2^(weight_bits-1) - 1.  weight_step: float64 [out].
        Binary weights (-1 and 1) count as 2 bits.
    bias: float32 [out] or None.  input_power: mean square of the input codes on the calibration data.
    knows_converter: whether it was trained with its converter, so that what this clips and rounds is part of it.
    """

    name: str
    weight: torch.Tensor
    weight_step: torch.Tensor
    bias: torch.Tensor | None
    weight_bits: int
    input_step: float
    input_bits: int
    input_is_signed: bool
    input_power: float
    knows_converter: bool = False

    @property
    def input_range(self) -> tuple[int, int]:
        return code_range(self.input_bits, self.input_is_signed)

    @cached_property
    def largest_sum(self) -> int:
        """No sum of products of input codes and weights can be larger in magnitude."""
        return int(self.weight.flatten(1).long().abs().sum(1).max()) * self.input_range[1]

    @cached_property
    def _unit(self) -> torch.Tensor:
        """The value of one unit of sums of products, float32 [out]."""
        return (self.weight_step * self.input_step).float()

    @cached_property
    def exact_dtype(self) -> torch.dtype:
        """The narrowest floating-point type that adds up the products without rounding."""
        return torch.float32 if self.largest_sum < 2**24 else torch.float64

    def quantize_input(self, values: torch.Tensor) -> torch.Tensor:
        """Codes of input values of any shape, as integers in a float tensor."""
        values = values if values.dtype == torch.float64 else values.float()
        return (values / self.input_step).round_().clamp_(*self.input_range)

    def dequantize(self, sums: torch.Tensor, axis: int, in_place: bool = False) -> torch.Tensor:
        """Values of sums of products, float32, with the bias added. `axis` is that of the outputs.

        in_place: float32 sums may be overwritten, so that large ones need no new memory.
        """
        shape = [1] * sums.dim()
        shape[axis] = -1
        unit = self._unit.to(sums.device).view(shape)
        is_free = in_place or sums.dtype != torch.float32
        values = sums.float().mul_(unit) if is_free else sums * unit
        return values if self.bias is None else values.add_(self.bias.to(sums.device).view(shape))
