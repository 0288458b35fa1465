"""Input expansion: codes become what the drivers put on the rows, cycle by cycle."""

from dataclasses import dataclass

import torch

from crossloom.hardware import Codes, InputFormat, WindowedCodes
from crossloom.spec import BitSerial, DacSpec, Pulse


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


def expand(codes: Codes, inputs: InputFormat, dac: DacSpec) -> Cycles:
    """Split integer codes into the pulses of `inputs.mode` that the drivers can do.

    Signed drivers take sign and magnitude together. Drivers without a sign take two's complement in
    bit-serial mode, and the positive and the negative part one after the other in the other modes.
    """
    if isinstance(inputs.mode, Pulse) and isinstance(codes, WindowedCodes):
        codes = codes.dense()
    values, weights = _split(codes.values, inputs, dac)
    return Cycles(codes.with_values(values.flatten(0, 1)), weights)


def cycle_weights(inputs: InputFormat, dac: DacSpec) -> torch.Tensor:
    """How much every input cycle counts, [cycle]."""
    return _split(torch.zeros(0, 0), inputs, dac)[1]


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
    negative = (values < 0).to(values.dtype)
    top = 2 ** (bits - 1)
    digits, weights = _digits(values + top * negative, bits - 1, width)
    return torch.cat([digits, negative.unsqueeze(1)], 1), torch.cat([weights, weights.new_full((1,), -top)])


def _digits(values: torch.Tensor, bits: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    shifts = torch.arange(0, bits, width, device=values.device, dtype=torch.int32)
    whole = values.to(torch.int32).unsqueeze(1)
    shape = (1, -1, *[1] * (values.dim() - 1))
    digits = (whole >> shifts.view(shape)).bitwise_and_(2**width - 1)
    return digits.to(values.dtype), (2.0**shifts).to(values.dtype)


def _pulses(values: torch.Tensor, longest: int, is_rotated: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """|x| pulses in a row; rotated, they begin where those of the rows above ended (modulo the cycles)."""
    counts = values.abs()
    cycle = torch.arange(longest, device=values.device, dtype=values.dtype)
    place = cycle.view(1, -1, *[1] * (values.dim() - 1))
    if is_rotated:
        starts = (counts.double().cumsum(1) - counts).remainder(longest).to(values.dtype)
        place = (place - starts.unsqueeze(1)).remainder(longest)
    return (place < counts.unsqueeze(1)) * values.sign().unsqueeze(1), values.new_ones(longest)
