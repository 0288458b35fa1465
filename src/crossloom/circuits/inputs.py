"""Input expansion: codes become what the drivers put on the rows, cycle by cycle."""

from dataclasses import dataclass

import torch

from crossloom.circuits.product import channels_last
from crossloom.hardware import Codes, DenseCodes, InputFormat, WindowedCodes
from crossloom.spec import BitSerial, DacSpec, MultiLevel, Pulse


@dataclass(frozen=True)
class Cycles:
    """Codes of every input cycle, folded into the axis of vectors: vector v, cycle t is number v * T + t.

    The product with the whole codes is sum_t weights[t] * (product with cycle t).
    """

    codes: Codes
    weights: torch.Tensor

    @property
    def num_cycles(self) -> int:
        return len(self.weights)


def expand(codes: Codes, inputs: InputFormat, dac: DacSpec, is_for_product: bool = False) -> Cycles:
    """Split integer codes into the pulses of `inputs.mode` that the drivers can do.

    Signed drivers take sign and magnitude together. Drivers without a sign take two's complement in
    bit-serial mode, and the positive and the negative part one after the other in the other modes. Every cycle
    lies in memory in the order of `codes`, or, `is_for_product`, in the one in which its product is fastest.
    """
    if isinstance(inputs.mode, Pulse) and isinstance(codes, WindowedCodes):
        codes = codes.dense()
    dtype = codes.values.dtype
    if not isinstance(inputs.mode, MultiLevel):
        codes = codes.with_values(codes.values.to(_narrowest(inputs)))
    if is_for_product and inputs.num_cycles(dac) > 1:
        codes = channels_last(codes)
    values, weights = _split(codes.values, inputs, dac)
    return Cycles(codes.with_values(values.flatten(0, 1).to(dtype)), weights.to(dtype))


def cycle_weights(inputs: InputFormat, dac: DacSpec) -> torch.Tensor:
    """How much every input cycle counts, [cycle]."""
    return expand(DenseCodes(torch.zeros(0, 0), 0), inputs, dac).weights


def _narrowest(inputs: InputFormat) -> torch.dtype:
    """The narrowest integers that hold the codes: the fewer bytes, the faster they are taken apart."""
    return torch.int8 if inputs.largest < 2**7 else torch.int16 if inputs.largest < 2**15 else torch.int32


def _split(values: torch.Tensor, inputs: InputFormat, dac: DacSpec) -> tuple[torch.Tensor, torch.Tensor]:
    """Values [vector, cycle, input, ...] and the weight of every cycle."""
    if isinstance(inputs.mode, BitSerial) and inputs.is_signed and not dac.is_signed:
        return _twos_complement(values, inputs.bits, inputs.mode.bits_per_pulse)
    if inputs.is_signed and not dac.is_signed:
        parts = [_magnitudes(values.clamp(min=0), inputs), _magnitudes((-values).clamp(min=0), inputs)]
        (plus, weights), (minus, _) = parts
        return torch.cat([plus, minus], 1), torch.cat([weights, -weights])
    return _magnitudes(values, inputs)


def _magnitudes(values: torch.Tensor, inputs: InputFormat) -> tuple[torch.Tensor, torch.Tensor]:
    if isinstance(inputs.mode, BitSerial):
        bits = inputs.bits - 1 if inputs.is_signed else inputs.bits
        return _bit_serial(values, bits, inputs.mode.bits_per_pulse)
    if isinstance(inputs.mode, Pulse):
        return _pulses(values, inputs.largest, inputs.mode.is_rotated)
    return values.unsqueeze(1), values.new_ones(1)


def _bit_serial(values: torch.Tensor, bits: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Digits of `width` bits, lowest first, each with the sign of the whole."""
    digits, weights = _digits(values.abs(), bits, width)
    return digits.mul_(values.sign().unsqueeze(1)), weights


def _twos_complement(values: torch.Tensor, bits: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Digits of the low bits - 1 bits, then the sign bit, which counts -2^(bits - 1)."""
    top = 2 ** (bits - 1)
    digits, weights = _digits(values & (top - 1), bits - 1, width)
    negative = (values >> (bits - 1)).neg_()
    return torch.cat([digits, negative.unsqueeze(1)], 1), torch.cat([weights, weights.new_full((1,), -top)])


def _digits(values: torch.Tensor, bits: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    shifts = torch.arange(0, bits, width, device=values.device, dtype=values.dtype)
    digits = values.unsqueeze(1) >> shifts.view(1, -1, *[1] * (values.dim() - 1))
    return digits.bitwise_and_(2 ** min(width, bits) - 1), 2.0**shifts


def _pulses(values: torch.Tensor, longest: int, is_rotated: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """|x| pulses in a row; rotated, they begin where those of the rows above ended (modulo the cycles)."""
    counts = values.abs()
    cycle = torch.arange(longest, device=values.device, dtype=values.dtype)
    place = cycle.view(1, -1, *[1] * (values.dim() - 1))
    if is_rotated:
        starts = (counts.cumsum(1) - counts).remainder(longest).to(values.dtype)
        place = (place - starts.unsqueeze(1)).remainder(longest)
    is_on = (counts.unsqueeze(1) - place).clamp_(0, 1)
    return is_on.mul_(values.sign().unsqueeze(1)), values.new_ones(longest)
