"""The maximiser against closed forms, and distributions against scipy."""

import pytest
import torch
from measurements import normal, uniform
from scipy import stats

from crossloom.errors import DataError
from crossloom.fitting.distributions import chi_square_tail, kolmogorov_smirnov, t_quantile
from crossloom.fitting.likelihood import maximize
from crossloom.fitting.spreads import Errors, fit_spread


def make_errors(generator, num_rows, **fields):
    conductance = uniform(generator, 0.0, 1.0, num_rows)
    given = {"errors": 2 + (1 + conductance) * normal(generator, num_rows), **fields}
    return Errors("errors", 1.0, conductance, torch.arange(num_rows), **given)


def test_a_constant_spread_is_the_root_mean_square():
    generator = torch.Generator().manual_seed(1)
    data = make_errors(generator, 500, errors=3e-6 * normal(generator, 500))
    fit = fit_spread(data, 0)
    assert fit.shift == pytest.approx(data.errors.mean().item(), rel=1e-6)
    assert fit.spec.coefficients[0] == pytest.approx(data.errors.std(correction=0).item(), rel=1e-6)
    normal_law = stats.norm(fit.shift, fit.spec.coefficients[0])
    assert fit.estimate.log_likelihood == pytest.approx(
        normal_law.logpdf(data.errors.numpy()).sum(), rel=1e-9
    )


def test_standard_errors_of_gaussian_data_are_those_of_theory():
    generator = torch.Generator().manual_seed(2)
    n, sigma = 40_000, 2e-6
    data = make_errors(generator, n, errors=sigma * normal(generator, n))
    errors = fit_spread(data, 0).estimate.errors
    # sigma / sqrt(n) and sigma / sqrt(2 n); 40,000 draws give each to about 1 %
    assert errors[0].item() == pytest.approx(sigma / n**0.5, rel=0.03)
    assert errors[1].item() == pytest.approx(sigma / (2 * n) ** 0.5, rel=0.03)


def test_rows_of_one_cell_that_repeat_one_another_count_once():
    generator = torch.Generator().manual_seed(3)
    once = make_errors(generator, 300)
    thrice = Errors(
        "errors", 1.0, once.conductance.repeat(3), once.groups.repeat(3), errors=once.errors.repeat(3)
    )
    # H^-1 of the tripled rows is a third; the scores of a cell add up, which makes the covariance whole again
    whole, repeated = fit_spread(once, 1).estimate, fit_spread(thrice, 1).estimate
    assert torch.allclose(whole.values, repeated.values, rtol=1e-5)
    assert torch.allclose(whole.errors, repeated.errors, rtol=0.12)
    assert bool((repeated.errors > 0.85 * whole.errors).all())


def test_a_likelihood_that_does_not_depend_on_a_parameter_is_refused():
    start = torch.tensor([0.0, 1.0], dtype=torch.float64)
    data = torch.linspace(-1, 1, 50, dtype=torch.float64)
    with pytest.raises(DataError, match="do not determine all 2 parameters"):
        maximize(lambda at: -((data - at[0]) ** 2) + 0 * at[1], start, torch.arange(50), "mine")


def test_fewer_measurements_than_parameters_are_refused():
    generator = torch.Generator().manual_seed(4)
    with pytest.raises(DataError, match="need more than 4 measurements for 4 parameters, got 4"):
        fit_spread(make_errors(generator, 4), 2)


def test_errors_that_are_all_zero_are_refused():
    generator = torch.Generator().manual_seed(5)
    with pytest.raises(DataError, match="all 10 errors are exactly zero"):
        fit_spread(make_errors(generator, 10, errors=torch.zeros(10, dtype=torch.float64)), 0)


def test_known_noise_is_taken_out_of_the_spread():
    generator = torch.Generator().manual_seed(6)
    n = 20_000
    noise = torch.full((n,), 4.0, dtype=torch.float64)
    data = make_errors(
        generator, n, errors=torch.tensor(13.0).double().sqrt() * normal(generator, n), noise=noise
    )
    assert fit_spread(data, 0).spec.coefficients[0] == pytest.approx(3.0, rel=0.03)  # 13 = 9 + 4; 4 sigma


def test_the_best_degree_is_found():
    generator = torch.Generator().manual_seed(7)
    assert len(fit_spread(make_errors(generator, 3000), None).spec.coefficients) == 2
    flat = make_errors(generator, 3000, errors=normal(generator, 3000))
    assert len(fit_spread(flat, None).spec.coefficients) == 1


@pytest.mark.parametrize("freedom", [1, 2, 5, 30, 199, 201, 5000])
def test_quantiles_of_students_t_are_those_of_scipy(freedom):
    # by the trapezoidal rule up to 200 degrees, by one term of the expansion after
    assert t_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)
    assert t_quantile(0.9, freedom) == pytest.approx(stats.t.ppf(0.9, freedom), rel=2e-3)


def test_tails_are_those_of_scipy():
    assert chi_square_tail(21.3, 13) == pytest.approx(stats.chi2.sf(21.3, 13), rel=1e-9)
    generator = torch.Generator().manual_seed(8)
    for spread in (1.0, 1.15):
        sample = spread * normal(generator, 400)
        distance, probability = kolmogorov_smirnov(sample)
        known = stats.kstest(sample.numpy(), "norm")
        assert distance == pytest.approx(known.statistic, rel=1e-9)
        assert probability == pytest.approx(known.pvalue, abs=0.02)
