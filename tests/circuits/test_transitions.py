"""A converter is its transition transitions; those of every kind are what the kind's own procedure gives."""

import pytest
import torch
from slow_converters import slow_ramp, slow_sar

from crossloom.circuits import (
    convert,
    differential_nonlinearity,
    ideal_transitions,
    make_staircase,
    ramp_transitions,
    sar_transitions,
)
from crossloom.circuits.transitions import draw_transitions, draw_widths
from crossloom.spec import ReadoutSpec, SarAdc

RANGES = {bits: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (2, 4, 8, 12)}


def convert_by(sums: torch.Tensor, code_range: tuple[int, int], transitions: torch.Tensor) -> torch.Tensor:
    """Codes by transitions [output or 1, transition]."""
    return convert(sums, code_range, make_staircase(transitions, code_range, sums.dtype))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def capacitors_for(bits: int, mismatch: float, seed: int) -> torch.Tensor:
    units = torch.cat([2.0 ** torch.arange(bits), torch.ones(1)]).double()
    return units + mismatch * units.sqrt() * torch.randn(bits + 1, generator=generator(seed)).double()


def values_for(code_range: tuple[int, int], number: int, seed: int = 0) -> torch.Tensor:
    """Values over the range and beyond both its ends."""
    width = code_range[1] - code_range[0] + 5
    return torch.rand(number, generator=generator(seed), dtype=torch.float64) * width + code_range[0] - 2.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("code_range", [(0, 1), *RANGES.values(), (0, 255)], ids=str)
def test_ideal_levels_round_and_clamp_exactly_ties_to_even_included(code_range, dtype):
    quarters = torch.arange(4 * code_range[0] - 9, 4 * code_range[1] + 10, dtype=dtype) / 4
    sums = torch.cat([quarters, values_for(code_range, 2000).to(dtype)]).view(-1, 1)
    assert torch.equal(
        convert_by(sums, code_range, ideal_transitions(code_range).unsqueeze(0)),
        convert(sums.clone(), code_range),
    )


@pytest.mark.parametrize("bits", RANGES)
def test_successive_approximation_without_mismatch_is_ideal_to_the_last_bit(bits):
    transitions = sar_transitions(capacitors_for(bits, 0.0, 0), RANGES[bits][0])
    assert torch.equal(transitions, ideal_transitions(RANGES[bits]))


def test_a_straight_ramp_is_ideal_to_the_last_bit():
    for code_range in RANGES.values():
        transitions = ideal_transitions(code_range)
        assert torch.equal(ramp_transitions(transitions, (0.0, 0.0)), transitions)


@pytest.mark.parametrize("mismatch", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("bits", [2, 4, 6])
def test_successive_approximation_decides_as_its_twin_does_bit_by_bit(bits, mismatch):
    """1,000 values on each of 5 converters, up to mismatches at which whole codes are missing."""
    code_range = RANGES.get(bits, (-32, 31))
    for seed in range(5):
        capacitors = capacitors_for(bits, mismatch, seed).clamp(min=0)
        values = values_for(code_range, 1000, seed)
        fast = convert_by(
            values.view(-1, 1), code_range, sar_transitions(capacitors, code_range[0]).unsqueeze(0)
        )
        slow = [slow_sar(value, capacitors, code_range[0]) for value in values.tolist()]
        assert fast.flatten().tolist() == slow


def test_a_large_mismatch_makes_codes_that_never_come():
    transitions = sar_transitions(capacitors_for(6, 0.4, 1), 0)
    assert (transitions.diff() == 0).any()
    assert (differential_nonlinearity(transitions[torch.isfinite(transitions)]) >= -1).all()


@pytest.mark.parametrize("mismatch", [0.0, 0.05, 0.5])
def test_a_larger_value_never_gets_a_smaller_code(mismatch):
    for seed in range(20):
        transitions = sar_transitions(capacitors_for(8, mismatch, seed).clamp(min=0), -128)
        assert (transitions[1:] >= transitions[:-1]).all()


def test_a_ramp_that_falls_back_counts_where_it_first_passed():
    points, code_range = (0.0, 3.0, -3.0, 0.0), (0, 15)
    raw = ideal_transitions(code_range) + torch.tensor([0, 3, -3, 0]).double().repeat_interleave(4)[:15]
    assert (raw.diff() < 0).any()
    transitions = ramp_transitions(ideal_transitions(code_range), points)
    assert (transitions.diff() >= 0).all()
    values = values_for(code_range, 500)
    bent = [
        level + _at(points, number / 14)
        for number, level in enumerate(ideal_transitions(code_range).tolist())
    ]
    fast = convert_by(values.view(-1, 1), code_range, transitions.unsqueeze(0)).flatten().tolist()
    assert fast == [slow_ramp(value, bent, 0) for value in values.tolist()]


def _at(points: tuple[float, ...], place: float) -> float:
    """The curve at a place from 0 to 1."""
    left = min(int(place * (len(points) - 1)), len(points) - 2)
    return points[left] + (points[left + 1] - points[left]) * (place * (len(points) - 1) - left)


@pytest.mark.parametrize("bits", [4, 6, 8, 10])
def test_mismatch_gives_the_width_that_theory_predicts_at_the_major_carry(bits):
    """The code below half of the range is off by sqrt(2^N - 1) unit mismatches; 2,000 converters, 5 sigma of a
    standard deviation. The mismatch is small, so that the sum of all capacitors is as good as constant."""
    mismatch, number = 0.1 / 2 ** (bits / 2), 2000
    readout = ReadoutSpec(bits=bits, adc=SarAdc(capacitor_mismatch=mismatch))
    widths = draw_transitions(readout, number, generator(bits)).diff(dim=1) - 1
    expected = (2**bits - 1) ** 0.5 * mismatch
    major = widths[:, 2 ** (bits - 1) - 2]
    assert abs(major.std().item() / expected - 1) < 5 / (2 * number) ** 0.5 + mismatch
    assert abs(major.mean().item()) < 5 * expected / number**0.5 + 2**bits * mismatch**2
    quarter = widths[:, 2 ** (bits - 2) - 2].std().item()
    assert abs(quarter / ((2 ** (bits - 1) - 1) ** 0.5 * mismatch) - 1) < mismatch + 5 / (2 * number) ** 0.5


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_drawn_widths_have_the_deviation_asked_for_and_leave_the_ends(bits):
    """4,000 converters; 5 sigma of a standard deviation of as many codes."""
    moved = draw_widths(0.2, 4000, 2**bits - 1, generator(1))
    widths = moved.diff(dim=1)
    assert moved[:, 0].abs().max() == 0
    assert moved[:, -1].abs().max() < 1e-12
    assert abs(widths.square().mean().sqrt().item() / 0.2 - 1) < 5 / (2 * 4000) ** 0.5
    transitions = ideal_transitions((0, 2**bits - 1)) + moved
    torch.testing.assert_close(differential_nonlinearity(transitions), widths, rtol=0, atol=1e-12)
