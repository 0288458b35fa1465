"""The slow, obvious twin of the macro function: one driver, one cell, one read at a time."""

import torch

from crossloom.hardware import InputFormat, Wiring
from crossloom.spec import BitSerial, Pulse


def slow_cycles(code: int, inputs: InputFormat, is_dac_signed: bool, start: int = 0) -> list[tuple[int, int]]:
    """What one driver puts out for one code, cycle by cycle: (value, weight). `start`: of a rotated pulse train."""
    if inputs.is_signed and not is_dac_signed and not isinstance(inputs.mode, BitSerial):
        unsigned = InputFormat(inputs.mode, inputs.bits - 1, False)
        plus = slow_cycles(max(code, 0), unsigned, True, start[0] if isinstance(start, tuple) else start)
        minus = slow_cycles(max(-code, 0), unsigned, True, start[1] if isinstance(start, tuple) else start)
        return plus + [(value, -weight) for value, weight in minus]
    if isinstance(inputs.mode, BitSerial):
        return _slow_bits(code, inputs, is_dac_signed)
    sign = -1 if code < 0 else 1
    if isinstance(inputs.mode, Pulse):
        train = [0] * inputs.largest
        for pulse in range(abs(code)):
            train[(start + pulse) % inputs.largest] = sign
        return [(value, 1) for value in train]
    return [(code, 1)]


def _slow_bits(code: int, inputs: InputFormat, is_dac_signed: bool) -> list[tuple[int, int]]:
    width, bits = inputs.mode.bits_per_pulse, inputs.bits - inputs.is_signed
    as_sign = inputs.is_signed and not is_dac_signed
    magnitude = code + 2**bits * (code < 0) if as_sign else abs(code)
    sign = -1 if code < 0 and not as_sign else 1
    cycles = []
    for shift in range(0, bits, width):
        cycles.append((sign * (magnitude // 2**shift % 2**width), 2**shift))
    return [*cycles, (int(code < 0), -(2**bits))] if as_sign else cycles


def slow_inputs(
    vector: list[int], inputs: InputFormat, is_dac_signed: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The values [cycle, input] and weights [cycle] of one input vector."""
    starts, is_rotated = [0, 0], isinstance(inputs.mode, Pulse) and inputs.mode.is_rotated
    rows, weights = [], []
    for code in vector:
        start = tuple(starts) if inputs.is_signed and not is_dac_signed else starts[0]
        cycles = slow_cycles(code, inputs, is_dac_signed, start if is_rotated else 0)
        rows.append([value for value, _ in cycles])
        weights = [weight for _, weight in cycles]
        if isinstance(start, tuple):
            starts = [starts[0] + max(code, 0), starts[1] + max(-code, 0)]
        else:
            starts = [starts[0] + abs(code), 0]
    return torch.tensor(rows).T.double(), torch.tensor(weights).double()


def slow_mvm(
    cells: torch.Tensor,
    noise: torch.Tensor,
    vector: list[int],
    inputs: InputFormat,
    is_dac_signed: bool,
    wiring: Wiring,
    level_step: float,
    gain: torch.Tensor,
    code_range: tuple[int, int] | None,
    num_draws: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """Answers [draw, output] when every cell (S, [row, column]) is drawn anew at every read of every cycle."""
    values, weights = slow_inputs(vector, inputs, is_dac_signed)
    answer = torch.zeros(num_draws, len(gain), dtype=torch.float64)
    for carried, weight in zip(values, weights, strict=True):
        drawn = cells + noise * torch.randn(num_draws, *cells.shape, generator=generator)
        currents = torch.einsum("r,drc->dc", _drive(carried, wiring), drawn)
        if wiring.pairing == "columns":
            currents = currents[:, 0::2] - currents[:, 1::2]
        codes = gain * currents / level_step
        if code_range is not None:
            codes = codes.round().clamp(*code_range)
        answer += weight * codes
    return answer


def _drive(carried: torch.Tensor, wiring: Wiring) -> torch.Tensor:
    rows = []
    for value in carried.tolist():
        rows += ([value, -value] if wiring.pairing == "rows" else [value]) * wiring.row_copies
    return torch.tensor(rows, dtype=torch.float64)
