"""Intervals hold the truth as often as they say."""

import pytest
import torch
from measurements import uS, write_errors, write_pulses, write_reads

from crossloom.fitting import FitConfig, fit_device

NUM_TRIALS = 50
TRUTH = {
    "device.read_noise.coefficients[0]": 0.1 * uS,
    "device.read_noise.coefficients[1]": 0.4 * uS,
    "measured.programming_shift": 0.2 * uS,
    "device.programming_error.coefficients[0]": 0.5 * uS,
    "device.programming_error.coefficients[1]": 1.5 * uS,
    "pulse.step": 1.0 * uS,
    "device.pulse_spread": 0.3,
    "pulse.voltage_scale": 0.2,
}


def test_errors_of_programming_are_recovered_within_their_own_intervals_in_nine_of_ten_trials(tmp_path):
    # 50 trials, seeds 100 to 149, of 300 cells; every parameter by itself has to be held at least 45 times
    truth = {name: value for name, value in TRUTH.items() if "programming" in name}
    held = dict.fromkeys(truth, 0)
    for seed in range(100, 100 + NUM_TRIALS):
        generator = torch.Generator().manual_seed(seed)
        file = write_errors(tmp_path / "errors.csv", generator, 300, lambda g: 0.5 + 1.5 * g / 40, shift=0.2)
        fit = fit_device(file, FitConfig(degree=1))
        for name in truth:
            held[name] += holds(fit, name)
    assert min(held.values()) >= 0.9 * NUM_TRIALS, held


def holds(fit, name):
    """Whether an interval holds the truth; slopes are those over the highest conductance measured, not over 40 uS."""
    parameter, scale = fit.parameter(name), fit.g_max / (40 * uS) if name.endswith("[1]") else 1.0
    return parameter.low <= TRUTH[name] * scale <= parameter.high


@pytest.mark.slow
def test_every_parameter_is_recovered_within_its_own_interval_in_nine_of_ten_trials(tmp_path):
    # 50 trials, seeds 0 to 49, of 200 cells read 3 times, 300 cells written, 300 pulses. Every parameter by itself
    # has to be held at least 45 times; at a true coverage of 95 % fewer than 45 happen in 3.8 % of 50 trials.
    held = dict.fromkeys(TRUTH, 0)
    for seed in range(NUM_TRIALS):
        generator = torch.Generator().manual_seed(seed)
        reads = write_reads(tmp_path / "reads.csv", generator, 200, 3, lambda g: 0.1 + 0.4 * g / 40)
        errors = write_errors(
            tmp_path / "errors.csv",
            generator,
            300,
            lambda g: ((0.5 + 1.5 * g / 40) ** 2 + (0.1 + 0.4 * g / 40) ** 2) ** 0.5,
            shift=0.2,
        )
        pulses = write_pulses(tmp_path / "pulses.csv", generator, 300, noise=0.1 + 0.4 * 20 / 40)
        fit = fit_device([reads, errors, pulses], FitConfig(degree=1))
        for name in TRUTH:
            held[name] += holds(fit, name)
    assert min(held.values()) >= 0.9 * NUM_TRIALS, held
