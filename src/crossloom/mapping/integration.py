"""A first integration time for every tile, from its weights and the power of its inputs alone.

It makes four standard deviations of a column's sum the full scale. Calibration data find a better one.
"""

from math import sqrt

import torch

from crossloom.mapping.scheme import Scheme
from crossloom.quant import QuantizedLayer
from crossloom.spec import BitSerial, MacroSpec, Pulse

_DEVIATIONS = 4.0


def usual_integration_time(
    layer: QuantizedLayer, scheme: Scheme, weight: torch.Tensor, macro: MacroSpec
) -> float:
    """The register n for a tile of integer weights [input, output]; 1 where the converter is ideal."""
    code_range = macro.readout.code_range
    if code_range is None:
        return 1.0
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


def _pulse_power(layer: QuantizedLayer, scheme: Scheme) -> float:
    """Mean square of what one input carries in one cycle."""
    mode, power = scheme.input_mode, max(layer.input_power, 1e-6)
    if isinstance(mode, BitSerial):
        bits = layer.input_bits - layer.input_is_signed
        return power / sum(4.0**shift for shift in range(0, bits, mode.bits_per_pulse))
    if isinstance(mode, Pulse):
        return min(sqrt(power) / layer.input_range[1], 1.0)
    return power
