"""Lines fitted by least squares, and held back where the data do not carry them."""

import pytest
import torch

from crossloom.calibration import fit_lines


def noisy_lines(number: int, outputs: int, noise: float, seed: int = 0):
    """x = (y - b) / a + noise for gains around 1.1 and offsets around 0; and the truth."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    gain, offset = 1.1 + 0.05 * draw(outputs), 2 * draw(outputs)
    wanted = 10 * draw(number, outputs) + 5
    return (wanted - offset) / gain + noise * draw(number, outputs), wanted, gain, offset


def test_lines_without_noise_are_recovered():
    measured, wanted, gain, offset = noisy_lines(50, 20, 0.0)
    line = fit_lines(measured, wanted)
    torch.testing.assert_close(line.gain, gain, rtol=1e-9, atol=0)
    torch.testing.assert_close(line.offset, offset, rtol=0, atol=1e-8)


def test_standard_errors_are_those_of_repeated_fits():
    """400 outputs of 200 samples: misses over their errors have a deviation of 1 within 0.15."""
    measured, wanted, gain, offset = noisy_lines(200, 400, 0.3)
    line = fit_lines(measured, wanted)
    for miss in ((line.gain - gain) / line.gain_error, (line.offset - offset) / line.offset_error):
        assert miss.square().mean().sqrt() == pytest.approx(1.0, abs=0.15)


def test_what_outputs_share_is_kept_when_few_samples_tell_little_of_each():
    """6 samples of 200 outputs: lines held back predict new samples better than least squares alone."""
    measured, wanted, gain, offset = noisy_lines(6, 200, 6.0)
    fresh = torch.randn(300, 200, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 10 + 5
    seen = (fresh - offset) / gain
    line = fit_lines(measured, wanted)
    x, y = measured - measured.mean(0), wanted - wanted.mean(0)
    slope = (x * y).sum(0) / x.square().sum(0)
    plain = slope * seen + wanted.mean(0) - slope * measured.mean(0)
    held = line.gain * seen + line.offset
    assert (held - fresh).square().mean() < 0.5 * (plain - fresh).square().mean()


@pytest.mark.parametrize("number", [0, 1, 3])
def test_too_few_samples_give_the_identity(number):
    line = fit_lines(*(torch.randn(number, 5, dtype=torch.float64) for _ in range(2)))
    assert torch.equal(line.gain, torch.ones(5, dtype=torch.float64))
    assert torch.equal(line.offset, torch.zeros(5, dtype=torch.float64))


def test_an_output_that_never_changes_gets_no_gain():
    measured, wanted, _, _ = noisy_lines(60, 4, 0.1)
    measured[:, 2] = 3.0
    line = fit_lines(measured, wanted)
    assert line.gain[2] == 1
    assert line.gain.isfinite().all()
    assert line.offset.isfinite().all()


def test_what_is_exact_is_left_exactly_as_it_is():
    wanted = torch.randint(-50, 50, (40, 6), generator=torch.Generator().manual_seed(0)).double()
    line = fit_lines(wanted, wanted)
    torch.testing.assert_close(line.gain * wanted + line.offset, wanted, rtol=1e-12, atol=1e-12)
