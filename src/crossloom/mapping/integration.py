"""The integration time of a tile, from its weights and its input format alone.

Without another wish four standard deviations of a column's sum are the full scale: a first guess, for which
calibration data find a better one.
"""

from math import floor, inf, sqrt

import torch

from crossloom.mapping.full_scale import FullScale, GranularRange, MaximumRange
from crossloom.mapping.scheme import Scheme
from crossloom.quant import LearnedLayer, QuantizedLayer
from crossloom.spec import BitSerial, MacroSpec, Pulse

_DEVIATIONS = 4.0


def first_integration_time(
    full_scale: FullScale, layer: QuantizedLayer, scheme: Scheme, weight: torch.Tensor, macro: MacroSpec
) -> float:
    """The register n for a tile of integer weights [input, output]; 1 where the converter is ideal."""
    code_range = macro.readout.code_range
    if code_range is None:
        return 1.0
    if isinstance(full_scale, MaximumRange):
        return widest_integration_time(code_range, sum_range(layer, scheme, weight, macro), scheme, macro)
    if isinstance(full_scale, GranularRange):
        unit = macro.gain(1.0, scheme.level_step) * scheme.row_copies
        return legal_integration_time(1.0 / unit, macro)
    return _usual_integration_time(code_range, layer, scheme, weight, macro)


def learned_integration_time(learned: LearnedLayer, scheme: Scheme, macro: MacroSpec) -> float | None:
    """The legal register n at which converters have the learned range; None where it was not learned, or is ideal.

    A code stands for s_out / (s_x s_w) units of the sum S, and for 1 / (gain(1) n copies of rows) at the time n: on the
    chip of Yu et al. (Nat. Commun. 16, 2123, 2025), whose gain(1) is 1/63, n = 63 s_x s_w / s_out. With one weight
    step per output s_w is their mean, since a tile has one register.
    """
    if macro.readout.code_range is None:
        return None
    if learned.integration_time is not None:
        return legal_integration_time(learned.integration_time, macro)
    if learned.output_step is None:
        return None
    code = learned.output_step / (learned.input_step * learned.weight_step.mean().item())
    return legal_integration_time(1 / (code * macro.gain(1.0, scheme.level_step) * scheme.row_copies), macro)


def sum_range(
    layer: QuantizedLayer, scheme: Scheme, weight: torch.Tensor, macro: MacroSpec
) -> tuple[float, float]:
    """The least and the largest sum S that any input gives in one cycle, over the outputs of a tile.

    `weight` [input, output] are integers; S counts levels times input steps, row copies included.
    """
    levels = scheme.encode(weight).double()
    if scheme.pairing == "rows":
        levels = levels[0::2] - levels[1::2]
    elif scheme.pairing == "columns":
        levels = levels[:, 0::2] - levels[:, 1::2]
    pulse = _largest_pulse(layer, scheme)
    above = pulse * levels.clamp(min=0).sum(0).max().item()
    below = pulse * levels.clamp(max=0).sum(0).min().item()
    if not (layer.input_is_signed and macro.dac.is_signed):
        return below, above
    largest = pulse * levels.abs().sum(0).max().item()
    return -largest, largest


def widest_integration_time(
    code_range: tuple[int, int], sums: tuple[float, float], scheme: Scheme, macro: MacroSpec
) -> float:
    """The longest legal time at which no sum from `sums[0]` to `sums[1]` passes the ends of the code range.

    A converter without codes below zero gives 0 for what is below, whatever the time. The register's least value
    is taken where even that clips.
    """
    pairs = [(code_range[1], sums[1]), (-code_range[0], -sums[0])]
    gains = [code / size for code, size in pairs if code > 0 and size > 0]
    gain = min(gains, default=inf)
    time = gain / macro.gain(1.0, scheme.level_step)
    if gain == inf:
        return legal_integration_time(1.0, macro)
    return time if macro.readout.max_time is None else legal_integration_time(floor(time), macro)


def _usual_integration_time(
    code_range: tuple[int, int], layer: QuantizedLayer, scheme: Scheme, weight: torch.Tensor, macro: MacroSpec
) -> float:
    digits, _, _ = scheme.cut(weight.to(torch.int32))
    levels = digits.double()
    pulse = _pulse_power(layer, scheme)
    spread = _DEVIATIONS * (levels.square().sum(1).max() * pulse).sqrt().item()
    mean = 0.0 if layer.input_is_signed else levels.sum(1).abs().max().item() * sqrt(pulse) / 2
    largest = max(spread + mean, 1.0) * scheme.row_copies
    return legal_integration_time(code_range[1] / largest / macro.gain(1.0, scheme.level_step), macro)


def legal_integration_time(time: float, macro: MacroSpec) -> float:
    """The nearest integration time that the register can hold."""
    limit = macro.readout.max_time
    return time if limit is None else float(min(max(round(time), 1), limit))


def _largest_pulse(layer: QuantizedLayer, scheme: Scheme) -> int:
    """The largest magnitude that one input carries in one cycle."""
    mode = scheme.input_mode
    if isinstance(mode, BitSerial):
        return 2 ** min(mode.bits_per_pulse, layer.input_bits - layer.input_is_signed) - 1
    return 1 if isinstance(mode, Pulse) else max(map(abs, layer.input_range))


def _pulse_power(layer: QuantizedLayer, scheme: Scheme) -> float:
    """Mean square of what one input carries in one cycle."""
    mode, power = scheme.input_mode, max(layer.input_power, 1e-6)
    if isinstance(mode, BitSerial):
        bits = layer.input_bits - layer.input_is_signed
        return power / sum(4.0**shift for shift in range(0, bits, mode.bits_per_pulse))
    if isinstance(mode, Pulse):
        return min(sqrt(power) / layer.input_range[1], 1.0)
    return power
