"""How often, and how strongly, a layer's inputs drove their rows: what the cells' read energy needs."""

from dataclasses import dataclass, field
from typing import Any

import torch

from crossloom.artefacts import saved
from crossloom.hardware import Codes, DenseCodes, InputFormat, WindowedCodes
from crossloom.spec import BitSerial, DacSpec, MultiLevel

_TOGETHER = 2**18
"""Codes that are added up at a time, at least."""
_FEW = 64  # numbers, of which packing does not pay


@saved
@dataclass(frozen=True)
class LayerActivity:
    """What every input of a layer's whole matrix put on its rows, over all vectors; float64 [input].

    squares: sum over vectors and input cycles of the square of the voltage, in input steps.  drives: how many
    of these cycles had a pulse at all. A row of a pair or of a copy is driven whenever its input is.
    """

    squares: torch.Tensor = field(repr=False)
    drives: torch.Tensor = field(repr=False)


class ActivityMeter:
    """Adds up the activity of one layer, batch by batch. Exact, and without laying out windows before the end."""

    def __init__(self, inputs: InputFormat, dac: DacSpec) -> None:
        self._inputs, self._is_signed_dac = inputs, dac.is_signed
        self._is_binary = not isinstance(inputs.mode, MultiLevel) and not (
            isinstance(inputs.mode, BitSerial) and inputs.mode.bits_per_pulse > 1
        )
        self._sums: dict[tuple[int, ...], tuple[Any, Any]] = {}
        self._windows: dict[tuple[int, ...], Codes] = {}
        self._waiting: list[torch.Tensor] = []

    def add(self, codes: Codes) -> None:
        """Take one batch of codes [vector, input] or [sample, channel, *spatial]."""
        if not isinstance(codes, DenseCodes) or codes.values.dim() != 2:
            self._add(codes)
            return
        # The steps of a recurrent layer come in small batches: together they are added up faster.
        self._waiting.append(codes.values)
        if sum(values.numel() for values in self._waiting) >= _TOGETHER:
            self._add_waiting()

    def _add_waiting(self) -> None:
        if self._waiting:
            values = self._waiting[0] if len(self._waiting) == 1 else torch.cat(self._waiting)
            self._waiting.clear()
            self._add(DenseCodes(values, len(values)))

    def _add(self, codes: Codes) -> None:
        values = codes.values
        shape = tuple(values.shape[1:])
        is_channels_last = values.dim() > 2 and not values.is_contiguous()
        steps = self._steps(values.movedim(1, -1) if is_channels_last else values)
        found = [_total(part) for part in (steps[:1] if self._is_binary else steps)]
        squares, *drives = [part.movedim(-1, 0) if is_channels_last else part for part in found]
        old = self._sums.get(shape, (0, 0))
        self._sums[shape] = (old[0] + squares, old[1] + (drives or [squares])[0])
        if isinstance(codes, WindowedCodes):
            self._windows[shape] = codes.with_values(values[:0])

    def activity(self) -> LayerActivity:
        """The activity of everything added so far."""
        self._add_waiting()
        squares = [self._by_input(shape, sums) for shape, (sums, _) in self._sums.items()]
        drives = [self._by_input(shape, sums) for shape, (_, sums) in self._sums.items()]
        return LayerActivity(torch.stack(squares).sum(0), torch.stack(drives).sum(0))

    def _by_input(self, shape: tuple[int, ...], sums: torch.Tensor) -> torch.Tensor:
        """Sums of an image, or of a vector, as sums for every input of the matrix."""
        values = sums.double().cpu().unsqueeze(0)
        window = self._windows.get(shape)
        laid = DenseCodes(values, 1) if window is None else window.with_values(values)
        dense = laid.dense() if isinstance(laid, WindowedCodes) else laid
        return dense.values[0].reshape(dense.num_inputs, -1).sum(1)

    def _steps(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum over the cycles of squared steps, and of pulses, for every code; in the narrowest numbers."""
        inputs, mode = self._inputs, self._inputs.mode
        codes = values.to(_integers(inputs.largest))
        if isinstance(mode, MultiLevel):
            drives = (codes != 0).view(torch.uint8)
            if inputs.largest**2 < 2**15:
                wide = codes.to(torch.int16)
                return wide * wide, drives
            return values.double().square(), drives
        if not isinstance(mode, BitSerial):
            magnitude = codes.abs_()
            return magnitude, magnitude
        bits = inputs.bits - 1 if inputs.is_signed else inputs.bits
        if inputs.is_signed and not self._is_signed_dac:
            squares, drives = _digits(codes & (2**bits - 1), bits, mode.bits_per_pulse)
            sign = (codes < 0).to(squares.dtype)
            return squares + sign, drives + sign
        return _digits(codes.abs_(), bits, mode.bits_per_pulse)


def _total(steps: torch.Tensor) -> torch.Tensor:
    """Sums over the first axis of numbers that are at least 0, int64."""
    flat = steps.contiguous().view(len(steps), -1)
    bits, largest = 8 * flat.element_size(), int(flat.max()) if flat.numel() else 0
    if bits > 16 or flat.shape[1] * bits % 64 or not largest:
        return steps.sum(0, dtype=torch.float64 if flat.is_floating_point() else torch.int64).long()
    # No number overflows within so many of them: one addition of 64 bits adds up eight bytes, or four of 16 bits.
    together = (2**bits - 1) // largest
    if together < _FEW and largest * len(flat) < 2**31:
        return steps.to(torch.int32).sum(0, dtype=torch.int32).long()
    packed = flat.view(torch.int64).split(together)
    chunks = torch.stack([part.sum(0) for part in packed]).view(torch.uint8 if bits == 8 else torch.int16)
    wide = chunks if bits == 8 else chunks.to(torch.int32) & (2**bits - 1)
    return wide.sum(0, dtype=torch.int64).view(steps.shape[1:])


def _digits(values: torch.Tensor, bits: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum over the digits of `width` bits of their squares, and how many are not zero; `values` are at least 0."""
    if width == 1:  # n has n - n/2 - n/4 - ... bits (each rounded down): Legendre
        ones = values.clone()
        for shift in range(1, bits):
            ones -= values >> shift
        return ones, ones
    digits = [(values >> shift) & (2**width - 1) for shift in range(0, bits, width)]
    squares = torch.zeros_like(values, dtype=_integers(len(digits) * (2**width - 1) ** 2))
    for digit in digits:
        squares += digit.to(squares.dtype).square()
    return squares, torch.stack([digit != 0 for digit in digits]).sum(0, dtype=torch.uint8)


def _integers(largest: int) -> torch.dtype:
    """The narrowest integers that hold values up to `largest`."""
    return torch.int8 if largest < 2**7 else torch.int16 if largest < 2**15 else torch.int32
