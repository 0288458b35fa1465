"""The one function that says what a macro does with codes.

Simulated chips, training, calibration and tuning all call it, so they cannot disagree. For every input cycle t

    code_t = clamp(round(gain * S_t + offset + noise_t)),    S_t = sum_i x_ti w_i,

and the answer is sum_t c_t code_t, with c_t the weights of the cycles. Independent read noise of the cells is
exactly one Gaussian per conversion, of variance gain^2 * sum_i x_ti^2 var(w_i): another product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from crossloom.circuits.array import EffectiveArray, Lift
from crossloom.circuits.blocks import Noise, blocks, drawn_at_once, joined
from crossloom.circuits.drivers import Drivers, make_drivers
from crossloom.circuits.inputs import Cycles, cycle_weights, expand
from crossloom.circuits.product import product
from crossloom.circuits.readout import convert, count_codes
from crossloom.circuits.staircase import Staircase, make_staircase
from crossloom.hardware import Codes, InputFormat, Reading
from crossloom.spec import DacSpec, ReadoutSpec

_EXACT_FLOAT32 = 2.0**24
_TINY = 1e-30  # keeps the gradient of the root finite


@dataclass(frozen=True)
class MacroFunction:
    """A region of a macro, ready to multiply.

    weights: [output, input], matrix times gain.  bias: [output], offsets in codes; None for none.
    variance: [output, input] of one read, in levels squared, or [1, input] where all outputs share it; None
    when reads are exact.  gain: codes per level, [output], or [1] where all outputs share it.
    staircase: of the converters, and drivers; None for ideal ones. Where every row has a driver of its own, inputs
    are rows.  lift: what wires change in the variance; with it, cycles are never added up before conversion.
    """

    weights: torch.Tensor
    bias: torch.Tensor | None
    variance: torch.Tensor | None
    gain: torch.Tensor
    inputs: InputFormat
    dac: DacSpec
    readout: ReadoutSpec
    staircase: Staircase | None = None
    drivers: Drivers | None = None
    lift: Lift | None = None

    def __call__(self, codes: Codes, noise: Noise | None = None, with_counts: bool = False) -> Reading:
        """Multiply a batch of codes; sums [vector, output, *positions].

        `noise` gives standard normal numbers of a shape [vector * cycle, output, *positions]; None reads
        without noise. `with_counts` also counts the codes.
        """
        codes = _cast(codes, self.weights)
        if self.readout.code_range is None and self.lift is None:
            return Reading(self._collapsed(codes, noise))
        num_cycles = self.inputs.num_cycles(self.dac)
        if noise is not None:
            noise = drawn_at_once(noise, len(codes.values) * num_cycles)
        parts = blocks(codes, num_cycles, len(self.weights))
        return joined((self._converted(part, noise, with_counts) for part in parts), codes)

    def at_gains(
        self, codes: Codes, ratios: Sequence[torch.Tensor], noise: Noise | None = None
    ) -> tuple[Reading, ...]:
        """The same batch at several gains, each [output] times that of this function: one product for all.

        Each answer is what the function of that gain gives, with the same noise of cells.
        """
        if self.readout.code_range is None:
            return tuple(self._scaled(ratio)(codes, noise) for ratio in ratios)
        codes = _cast(codes, self.weights)
        num_cycles = self.inputs.num_cycles(self.dac)
        if noise is not None:
            noise = drawn_at_once(noise, len(codes.values) * num_cycles)
        parts = [
            self._converted_at(part, ratios, noise) for part in blocks(codes, num_cycles, len(self.weights))
        ]
        return tuple(joined(readings, codes) for readings in zip(*parts, strict=True))

    def _converted_at(
        self, codes: Codes, ratios: Sequence[torch.Tensor], noise: Noise | None
    ) -> list[Reading]:
        cycles = self._expand(codes)
        sums = product(cycles.codes, self.weights)
        if noise is not None and self.variance is not None:
            sums = self._disturb(sums, _squares(cycles.codes), noise, cycles.codes)
        axes, code_range = [1] * (sums.dim() - 2), self.readout.code_range
        offset = None if self.bias is None else self.bias.view(-1, *axes)
        answers = []
        for ratio in ratios:
            scaled = sums * ratio.to(sums).view(-1, *axes)
            answered = convert(scaled if offset is None else scaled.add_(offset), code_range, self.staircase)
            answers.append(Reading(add_up(answered, cycles, code_range)))
        return answers

    def _scaled(self, ratio: torch.Tensor) -> "MacroFunction":
        """This function at another gain."""
        ratio = ratio.to(self.weights)
        return replace(self, weights=self.weights * ratio.unsqueeze(1), gain=self.gain * ratio)

    def _converted(self, codes: Codes, noise: Noise | None, with_counts: bool) -> Reading:
        """Every cycle through the converters."""
        cycles = self._expand(codes)
        sums = product(cycles.codes, self.weights, self.bias)
        if noise is not None and self.variance is not None:
            sums = self._disturb(sums, _squares(cycles.codes), noise, cycles.codes)
        answered = convert(sums, self.readout.code_range, self.staircase)
        counts = count_codes(answered, self.readout.code_range) if with_counts else None
        return Reading(add_up(answered, cycles, self.readout.code_range), counts)

    def _collapsed(self, codes: Codes, noise: Noise | None) -> torch.Tensor:
        """Ideal converters: all cycles at once, since sums of exact values need no cycles."""
        bias = None if self.bias is None else self.bias * cycle_weights(self.inputs, self.dac).sum().item()
        sums = product(codes if self.drivers is None else _joined(self._expand(codes)), self.weights, bias)
        if noise is None or self.variance is None:
            return sums
        return self._disturb(sums, _power(self._expand(codes)), noise)

    def _expand(self, codes: Codes) -> Cycles:
        """What the drivers put out, cycle by cycle."""
        cycles = expand(codes, self.inputs, self.dac, is_for_product=True)
        return cycles if self.drivers is None else Cycles(self.drivers.drive(cycles.codes), cycles.weights)

    def _disturb(
        self, sums: torch.Tensor, power: Codes, noise: Noise, codes: Codes | None = None
    ) -> torch.Tensor:
        """Add read noise; `power` holds the squares of what the rows carry. `sums` is overwritten."""
        assert self.variance is not None
        variance = product(power, self.variance)
        if self.lift is not None and codes is not None:
            variance = variance + _lifted(codes, self.lift)
        spread = variance.clamp_(min=_TINY).sqrt()
        spread = spread * self.gain.view(-1, *[1] * (sums.dim() - 2))
        return sums.addcmul_(noise(tuple(sums.shape)).to(sums.dtype), spread)


def macro_function(
    array: EffectiveArray,
    gain: torch.Tensor,
    offset: torch.Tensor | None,
    inputs: InputFormat,
    dac: DacSpec,
    readout: ReadoutSpec,
    transitions: torch.Tensor | None = None,
    drivers: Drivers | None = None,
) -> MacroFunction:
    """Fuse an array with its drivers and converters.

    `gain` [output] holds codes per unit of S, `offset` [output] codes, `transitions` [output or 1, transition] codes.
    `drivers`: those that were drawn; None for what `dac` says of all. Integers are kept exact: where sums may
    pass 2^24 and the converter would see it, the product runs in float64.
    """
    dtype = _precision(array.matrix, inputs, readout)
    weights = (array.matrix * gain).T.to(dtype).contiguous()
    variance = None if array.variance is None else _shared(array.variance).T.to(dtype).contiguous()
    bias = None if offset is None else offset.to(dtype)
    if not gain.requires_grad and bool((gain == gain[0]).all()):
        gain = gain[:1]
    drivers = drivers or make_drivers(dac, inputs, device=weights.device)
    staircase = make_staircase(transitions, readout.code_range, dtype)
    lift = None if array.lift is None else _cast_lift(array.lift, dtype)
    return MacroFunction(
        weights, bias, variance, gain.to(dtype), inputs, dac, readout, staircase, drivers, lift
    )


def _cast_lift(lift: Lift, dtype: torch.dtype) -> Lift:
    return replace(
        lift,
        currents=lift.currents.to(dtype),
        cross=lift.cross.to(dtype),
        square=lift.square.to(dtype),
    )


def _lifted(codes: Codes, lift: Lift) -> torch.Tensor:
    """What lifted bit lines change in the variance, [vector, output, *positions]."""
    current = product(codes, lift.currents.T.contiguous())
    along = product(codes, lift.cross.T.contiguous())
    square = lift.square.view(-1, *[1] * (current.dim() - 2))
    change = current * (current * square - 2 * along)
    if lift.columns_per_output == 1:
        return change
    return change.unflatten(1, (-1, lift.columns_per_output)).sum(2)


def _shared(variance: torch.Tensor) -> torch.Tensor:
    """One column for all outputs where every column is the same: [input, output] to [input, 1]."""
    first = variance[:, :1]
    return first if not variance.requires_grad and bool((variance == first).all()) else variance


def _precision(matrix: torch.Tensor, inputs: InputFormat, readout: ReadoutSpec) -> torch.dtype:
    if readout.bits is not None and readout.bits <= 16:
        return torch.float32
    largest = matrix.detach().abs().sum(0).max().item() * inputs.largest if matrix.numel() else 0.0
    return torch.float32 if largest < _EXACT_FLOAT32 else torch.float64


def add_up(codes: torch.Tensor, cycles: Cycles, code_range: tuple[int, int] | None) -> torch.Tensor:
    """Shift and add, without rounding; no range: the converter is ideal."""
    if cycles.num_cycles == 1:
        return codes
    largest = max(map(abs, code_range or (0, 1))) * cycles.weights.abs().sum().item()
    split = codes.unflatten(0, (-1, cycles.num_cycles)).to(
        codes.dtype if largest < _EXACT_FLOAT32 else torch.float64
    )
    first, *others = cycles.weights.tolist()
    total = split[:, 0] * first
    # Cycle by cycle takes a third of the time of all products and their sum, which need passes over all cycles.
    for number, weight in enumerate(others, 1):
        total.add_(split[:, number], alpha=weight)
    return total


def _map(codes: Codes, function: Callable[[torch.Tensor], torch.Tensor]) -> Codes:
    return codes.with_values(function(codes.values))


def _cast(codes: Codes, like: torch.Tensor) -> Codes:
    return _map(codes, lambda values: values.to(like.dtype))


def _squares(codes: Codes) -> Codes:
    return _map(codes, torch.square)


def _power(cycles: Cycles) -> Codes:
    """The sum over cycles of the squares of what they carry, times the squares of their weights."""

    return _joined(Cycles(_squares(cycles.codes), cycles.weights.square()))


def _joined(cycles: Cycles) -> Codes:
    """The sum over cycles of what they carry, times their weights."""

    def gather(values: torch.Tensor) -> torch.Tensor:
        split = values.unflatten(0, (-1, cycles.num_cycles))
        return (split * cycles.weights.to(split).view(1, -1, *[1] * (split.dim() - 2))).sum(1)

    return _map(cycles.codes, gather)
