"""Nonlinearities are measured as they were made, and effective bits are what the tests of a converter give."""

import math

import pytest
import torch
from slow_converters import slow_sinad

from crossloom.circuits import (
    differential_nonlinearity,
    effective_bits,
    ideal_transitions,
    integral_nonlinearity,
    ramp_test,
    ramp_transitions,
    sar_transitions,
    sine_test,
)
from crossloom.circuits.transitions import draw_transitions
from crossloom.spec import ReadoutSpec, SarAdc

BITS = 8
RANGE = (-128, 127)


def sar_with(mismatch: float, number: int = 1, seed: int = 0) -> torch.Tensor:
    readout = ReadoutSpec(bits=BITS, adc=SarAdc(capacitor_mismatch=mismatch))
    return draw_transitions(readout, number, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("bits", range(3, 15))
def test_an_ideal_converter_has_six_decibels_a_bit(bits):
    """6.02 N + 1.76 dB, within 0.1 dB."""
    code_range = (0, 2**bits - 1)
    assert abs(ramp_test(ideal_transitions(code_range), code_range).item() - (6.02 * bits + 1.76)) < 0.1
    assert abs(effective_bits(ideal_transitions(code_range), code_range).item() - bits) < 0.02


@pytest.mark.parametrize("bits", range(4, 15))
def test_a_sine_costs_an_ideal_converter_little(bits):
    """Below 6.02 N + 1.76 dB, since its peaks are slow: by 0.25 dB at 4 bits, by less than 0.1 dB from 9 bits on."""
    code_range = (0, 2**bits - 1)
    lost = 6.02 * bits + 1.76 - sine_test(ideal_transitions(code_range), code_range).item()
    assert 0 < lost < (0.1 if bits >= 9 else 0.26)


@pytest.mark.parametrize(
    "transitions", [ideal_transitions(RANGE), sar_with(0.05)[0]], ids=["ideal", "mismatched"]
)
def test_the_sine_test_is_that_of_many_samples(transitions):
    """65,536 samples over 127 whole periods; 0.02 dB."""
    wave = 128 * torch.sin(2 * math.pi * 127 * torch.arange(2**16, dtype=torch.float64) / 2**16 + 0.3)
    slow = slow_sinad(transitions, RANGE[0], wave - 0.5, wave)
    assert abs(sine_test(transitions, RANGE).item() - slow) < 0.02


@pytest.mark.parametrize(
    "transitions", [ideal_transitions(RANGE), sar_with(0.05)[0]], ids=["ideal", "mismatched"]
)
def test_the_ramp_test_is_that_of_many_samples(transitions):
    """65,536 evenly spaced values; 0.02 dB."""
    values = (torch.arange(2**16, dtype=torch.float64) + 0.5) / 2**8 - 128.5
    slow = slow_sinad(transitions, RANGE[0], values, (values + 0.5))
    assert abs(ramp_test(transitions, RANGE).item() - slow) < 0.02


def test_effective_bits_fall_with_mismatch():
    """The mean of 200 converters at each of five mismatches."""
    worth = [
        effective_bits(sar_with(size, 200), RANGE).mean().item() for size in (1e-4, 0.01, 0.03, 0.1, 0.3)
    ]
    assert worth == sorted(worth, reverse=True)
    assert worth[0] > 7.99
    assert worth[-1] < 6


def test_offset_and_gain_cost_bits_only_where_they_clip():
    """They are fitted; an offset of one code at either end of 64, and a narrower range, leave no code for some."""
    transitions = ideal_transitions((-32, 31))
    inside = effective_bits(transitions * 1.001 + 0.25, (-32, 31)).item()
    assert inside == pytest.approx(6, abs=0.02)
    assert effective_bits(transitions * 0.98 + 1.0, (-32, 31)).item() < 5.9


def test_nonlinearities_of_an_ideal_converter_are_zero():
    for measure in (differential_nonlinearity, integral_nonlinearity):
        assert measure(ideal_transitions(RANGE) * 1.1 + 3).abs().max() < 1e-12


def test_integral_nonlinearity_is_the_curve_that_a_ramp_was_given():
    transitions = ramp_transitions(ideal_transitions(RANGE), (0.0, 0.5, 0.0))
    measured = integral_nonlinearity(transitions)
    place = torch.linspace(0, 1, 255, dtype=torch.float64)
    torch.testing.assert_close(measured, 0.5 - (place - 0.5).abs(), rtol=0, atol=1e-9)


def test_differential_nonlinearity_adds_up_to_integral():
    transitions = sar_with(0.05, 3)
    summed = differential_nonlinearity(transitions).cumsum(-1)
    torch.testing.assert_close(summed, integral_nonlinearity(transitions)[:, 1:], rtol=0, atol=1e-9)


def test_a_missing_code_has_no_width():
    heavy = torch.tensor([1.0, 2.0, 4.0, 5.0, 1.0]).double()
    assert (differential_nonlinearity(sar_transitions(heavy, 0)) == -1).any()
