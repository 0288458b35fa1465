"""Steps of quantisers: what each way of finding them promises."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.quant import code_range, find_steps

METHODS = ["min_max", "percentile", "mse"]


def draw(rows: int, samples: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, samples, generator=torch.Generator().manual_seed(seed))


def quantised(values: torch.Tensor, steps: torch.Tensor, codes: tuple[int, int]) -> torch.Tensor:
    return (values / steps[:, None]).round().clamp(*codes) * steps[:, None]


def error(values, method, codes, percentile=99.9):
    steps = find_steps(values, codes, method, percentile)
    return (quantised(values, steps, codes) - values).double().square().sum(1)


@pytest.mark.parametrize("is_signed", [True, False])
def test_min_max_clips_nothing_and_uses_the_top_code(is_signed):
    values, codes = draw(4, 500), code_range(4, is_signed)
    values = values if is_signed else values.relu()
    found = (values / find_steps(values, codes, "min_max", 99.9)[:, None]).round()
    assert found.abs().amax(1).tolist() == [codes[1]] * 4


def test_the_least_error_is_no_larger_than_that_of_min_max():
    values, codes = draw(8, 1000), code_range(4, True)
    assert (error(values, "mse", codes) <= error(values, "min_max", codes) * (1 + 1e-6)).all()
    assert (error(values, "mse", codes) < 0.9 * error(values, "min_max", codes)).any()


def test_the_least_error_is_that_of_an_exhaustive_search():
    """A finer search over the same shares of the range finds nothing 1 % better."""
    values, codes = draw(3, 400), code_range(4, True)
    widest = find_steps(values, codes, "min_max", 99.9)
    shares = torch.linspace(0.2, 1.0, 2000)
    best = torch.stack(
        [(quantised(values, widest * share, codes) - values).double().square().sum(1) for share in shares]
    ).amin(0)
    assert (error(values, "mse", codes) <= best * 1.01).all()


def test_a_percentile_clips_that_share():
    values, codes = draw(2, 10_000), code_range(8, True)
    steps = find_steps(values, codes, "percentile", 95.0)
    clipped = (values.abs() > steps[:, None] * codes[1]).double().mean(1)
    assert clipped.tolist() == pytest.approx([0.05, 0.05], abs=2e-4)


def test_the_hundredth_percentile_is_min_max():
    values, codes = draw(5, 333), code_range(6, True)
    assert torch.equal(
        find_steps(values, codes, "percentile", 100.0), find_steps(values, codes, "min_max", 99)
    )


def test_a_percentile_of_unsigned_codes_ignores_what_is_below_zero():
    values = torch.cat([torch.full((1, 500), -100.0), torch.rand(1, 500)], 1)
    steps = find_steps(values, code_range(4, False), "percentile", 99.0)
    assert steps.item() <= 1 / 15


def test_a_percentile_of_zero_falls_back_on_the_extreme():
    """Fewer than 0.1 % of values are not zero; they still count."""
    values = torch.zeros(1, 5000)
    values[0, 17] = 600.0
    assert find_steps(values, code_range(4, False), "percentile", 99.9).item() == pytest.approx(40.0)


def test_a_percentile_is_found_among_more_values_than_torch_sorts_in_quantile():
    values = torch.arange(2**24 + 2**20, dtype=torch.float32).unsqueeze(0)
    steps = find_steps(values, code_range(8, False), "percentile", 99.0)
    assert steps.item() * 255 == pytest.approx(0.99 * values.shape[1], rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_row_of_zeros_gets_a_step_that_divides(method, is_signed):
    values = torch.zeros(2, 50)
    values[1] = torch.linspace(0, 1, 50)
    steps = find_steps(values, code_range(4, is_signed), method, 99.0)
    assert (steps > 0).all()
    assert torch.isfinite(steps).all()
    assert (quantised(values, steps, code_range(4, is_signed))[0] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_single_value_is_kept(method):
    values = torch.tensor([[0.3]])
    steps = find_steps(values, code_range(8, True), method, 99.0)
    assert quantised(values, steps, code_range(8, True)).item() == pytest.approx(0.3, rel=0.01)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(METHODS), st.integers(2, 8), st.integers(-120, 120), st.integers(0, 1000))
def test_steps_scale_with_the_values(method, bits, exponent, seed):
    """Also where squares of the values would not fit a float."""
    values, codes = draw(3, 64, seed), code_range(bits, True)
    scale = 2.0**exponent
    steps, scaled = (find_steps(part, codes, method, 97.0) for part in (values, values * scale))
    torch.testing.assert_close(scaled / scale, steps, rtol=1e-5, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_values_too_small_to_divide_make_no_infinite_code(method):
    values = torch.tensor([[1e-44, -1e-44, 0.0]])
    steps = find_steps(values, code_range(8, True), method, 99.0)
    assert torch.isfinite(values / steps[:, None]).all()


def test_code_ranges_are_symmetric_when_signed():
    assert [code_range(bits, True) for bits in (2, 8)] == [(-1, 1), (-127, 127)]
    assert [code_range(bits, False) for bits in (2, 8)] == [(0, 3), (0, 255)]
