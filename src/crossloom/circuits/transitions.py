"""A converter is its transitions: the code is the lowest one plus the number of transitions below the value.

Transitions are in codes, [..., transition], lowest first; between code c - 1 and code c an ideal converter has one at
c - 1/2. One that is infinite is never passed: the codes above it are missing.
"""

import torch

from crossloom.spec import Adc, RampAdc, ReadoutSpec, SarAdc


def ideal_transitions(code_range: tuple[int, int], device: torch.device | str = "cpu") -> torch.Tensor:
    """The transitions of an ideal converter, [transition], float64."""
    lowest, highest = code_range
    return torch.arange(lowest, highest, dtype=torch.float64, device=device) + 0.5


def ramp_transitions(transitions: torch.Tensor, nonlinearity: tuple[float, ...]) -> torch.Tensor:
    """`transitions` [transition] moved by what a ramp is off its line, in codes, at evenly spaced steps.

    Where the ramp falls back, its first passing counts.
    """
    return (transitions + interpolate(nonlinearity, len(transitions), transitions.device)).cummax(-1).values


def sar_transitions(capacitors: torch.Tensor, lowest: int) -> torch.Tensor:
    """The transitions of successive approximation, [..., transition].

    capacitors: [..., bit + 1] in units, that of the lowest bit first, and last the one that never switches. Bit by
    bit from the top, a bit stays where the value is above what the capacitors then give. A value above all the trials
    that a code passed gets that code or a higher one: it gets at least code c above the least such bound of c and all
    codes that are higher. Where that of a higher one is less, codes between never come.
    """
    bits = capacitors.shape[-1] - 1
    codes = torch.arange(2**bits, device=capacitors.device)
    places = torch.arange(bits, device=capacitors.device)
    trials = _converted(capacitors, (codes.unsqueeze(1) >> places) & 1) + (lowest - 0.5)
    passed = torch.full_like(trials, -torch.inf)
    for bit in range(bits):
        is_set = (codes >> bit & 1).bool()
        passed = torch.where(is_set, torch.maximum(passed, trials[..., codes >> bit << bit]), passed)
    return passed[..., 1:].flip(-1).cummin(-1).values.flip(-1)


def draw_transitions(readout: ReadoutSpec, num_sets: int, generator: torch.Generator) -> torch.Tensor:
    """Transitions of so many converters of one kind, [converter, transition], its own parts drawn."""
    assert readout.code_range is not None
    transitions = ideal_transitions(readout.code_range, generator.device)
    return _draw_kind(readout.adc, transitions, readout.code_range[0], num_sets, generator)


def draw_widths(
    sigma: float, num_sets: int, num_transitions: int, generator: torch.Generator
) -> torch.Tensor:
    """By how much transitions move when codes differ in width by `sigma`, [converter, transition], in codes.

    The widths of one converter add up as if all were right, so that its end points stay in place.
    """
    num_codes = num_transitions - 1
    drawn = torch.randn(
        num_sets, num_codes, generator=generator, device=generator.device, dtype=torch.float64
    )
    drawn = (drawn - drawn.mean(1, keepdim=True)) * (num_codes / max(num_codes - 1, 1)) ** 0.5
    return torch.nn.functional.pad((sigma * drawn).cumsum(1), (1, 0))


def interpolate(points: tuple[float, ...], num_values: int, device: torch.device | str) -> torch.Tensor:
    """Values [value] of a curve through evenly spaced points, with straight lines between, float64."""
    curve = torch.tensor(points, dtype=torch.float64, device=device)
    if num_values == 1:
        return curve[:1]
    places = (
        torch.arange(num_values, dtype=torch.float64, device=device) * (len(points) - 1) / (num_values - 1)
    )
    left = places.floor().clamp(max=len(points) - 2).long()
    return torch.lerp(curve[left], curve[left + 1], places - left)


def _draw_kind(
    adc: Adc, transitions: torch.Tensor, lowest: int, num_sets: int, generator: torch.Generator
) -> torch.Tensor:
    if isinstance(adc, RampAdc) and adc.nonlinearity:
        transitions = ramp_transitions(transitions, adc.nonlinearity)
    if isinstance(adc, SarAdc) and adc.capacitor_mismatch:
        bits = (len(transitions) + 1).bit_length() - 1
        return sar_transitions(_draw_capacitors(adc.capacitor_mismatch, num_sets, bits, generator), lowest)
    return transitions.expand(num_sets, -1)


def _draw_capacitors(mismatch: float, num_sets: int, bits: int, generator: torch.Generator) -> torch.Tensor:
    """[converter, bit + 1]: 2^bit units, each unit off by `mismatch`, and one unit that never switches."""
    units = 2.0 ** torch.arange(bits, dtype=torch.float64, device=generator.device)
    units = torch.cat([units, units.new_ones(1)])
    drawn = torch.randn(num_sets, bits + 1, generator=generator, device=generator.device, dtype=torch.float64)
    return (units + mismatch * units.sqrt() * drawn).clamp(min=0)


def _converted(capacitors: torch.Tensor, is_switched: torch.Tensor) -> torch.Tensor:
    """What capacitors give for every code, in codes from 0, [..., code]."""
    bits = capacitors.shape[-1] - 1
    share = capacitors[..., :bits] @ is_switched.T.to(capacitors.dtype)
    return 2**bits * share / capacitors.sum(-1, keepdim=True)
