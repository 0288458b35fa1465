"""Slow, obvious twins of converters: one value, one decision at a time."""

import torch


def slow_sar(value: float, capacitors: torch.Tensor, lowest: int) -> int:
    """Bit by bit from the top: a bit stays where the value is above half a code below what the capacitors give."""
    *units, _ = capacitors.tolist()
    whole, code = capacitors.sum().item(), 0
    for bit in reversed(range(len(units))):
        trial = code | 1 << bit
        switched = sum(unit for place, unit in enumerate(units) if trial >> place & 1)
        if value > 2 ** len(units) * switched / whole + lowest - 0.5:
            code = trial
    return code + lowest


def slow_ramp(value: float, steps: list[float], lowest: int) -> int:
    """The number of steps that the ramp has made when it first reaches the value."""
    for number, height in enumerate(steps):
        if height >= value:
            return lowest + number
    return lowest + len(steps)


def slow_sinad(transitions: torch.Tensor, lowest: int, values: torch.Tensor, wave: torch.Tensor) -> float:
    """dB of a full-scale sine over what a line through (`wave`, code) leaves of the codes of many `values`."""
    codes = (values.unsqueeze(1) > transitions).sum(1) + lowest
    design = torch.stack([wave, torch.ones_like(wave)], 1)
    fitted = torch.linalg.lstsq(design, codes.double().unsqueeze(1)).solution
    left = (codes - (design @ fitted).squeeze(1)).square().mean()
    amplitude = fitted[0, 0] * (len(transitions) + 1) / 2
    return (10 * torch.log10(amplitude.square() / 2 / left)).item()
