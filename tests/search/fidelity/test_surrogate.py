"""Gaussian processes over designs and fidelity, and what evaluations cost."""

import pytest
import torch

pytest.importorskip("botorch")

from botorch.models import SingleTaskGP

from crossloom.search.fidelity.belief import num_fitted
from crossloom.search.fidelity.cost import CostModel
from crossloom.search.fidelity.kernel import GapMean, fidelity_kernel
from crossloom.search.fidelity.scales import GoalScale, gap_of
from crossloom.search.fidelity.surrogate import Surrogate, fit_process


def seen(number: int = 24, seed: int = 0):
    """Designs of two features at several gaps; cheap evaluations are off by a smooth function of the design."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.rand(number, 3, dtype=torch.float64, generator=generator)
    inputs[::4, 2] = 0.0
    first, second, gap = inputs.T
    return inputs, torch.sin(4 * first) + second**2 - gap * (0.5 + second)


@pytest.fixture(scope="module")
def surrogate():
    inputs, values = seen()
    return Surrogate.of(fit_process(inputs, values, has_fidelity=True, is_exact=False), inputs, values)


def test_means_and_covariances_are_those_of_botorch(surrogate):
    model = SingleTaskGP(
        surrogate.inputs,
        surrogate.values.unsqueeze(-1),
        covar_module=surrogate.fit.kernel,
        mean_module=surrogate.fit.mean,
        outcome_transform=None,
    )
    model.likelihood.noise = surrogate.fit.noise
    points = seen(6, seed=1)[0]
    posterior = model.eval().posterior(points)
    torch.testing.assert_close(surrogate.mean(points), posterior.mean[:, 0].detach(), rtol=1e-5, atol=1e-6)
    covariance = posterior.distribution.covariance_matrix.detach()
    torch.testing.assert_close(surrogate.covariance(points), covariance, rtol=1e-4, atol=1e-6)


def test_the_pairs_of_full_and_cheap_are_parts_of_the_joint_covariance(surrogate):
    at = seen(5, seed=2)[0]
    full = at.clone()
    full[:, 2] = 0.0
    variance, variance_at, covariance = surrogate.full_and_at(full, torch.stack([at, full]))
    joint = surrogate.covariance(torch.cat([full, at]))
    torch.testing.assert_close(variance, joint.diagonal()[:5])
    torch.testing.assert_close(variance_at[0], joint.diagonal()[5:] + surrogate.fit.noise)
    torch.testing.assert_close(covariance[0], joint[:5, 5:].diagonal())
    torch.testing.assert_close(covariance[1], variance)


def test_what_is_pending_narrows_and_moves_nothing(surrogate):
    points = seen(4, seed=3)[0]
    after = surrogate.with_pending(points[:1])
    torch.testing.assert_close(after.mean(points), surrogate.mean(points), rtol=1e-6, atol=1e-8)
    before, now = surrogate.covariance(points).diagonal(), after.covariance(points).diagonal()
    assert now[0] < 0.9 * before[0] or before[0] < 2 * surrogate.fit.noise
    assert (now <= before + 1e-9).all()


def test_cheap_evaluations_in_numbers_predict_full_ones():
    inputs, values = seen(60)
    surrogate = Surrogate.of(fit_process(inputs, values, True, False), inputs, values)
    points = seen(50, seed=5)[0]
    points[:, 2] = 0.0
    truth = torch.sin(4 * points[:, 0]) + points[:, 1] ** 2
    # A quarter of 60 is full; error over 50 designs below a twentieth of the spread.
    assert (surrogate.mean(points) - truth).square().mean().sqrt() < 0.05 * truth.std()


def test_a_deviation_vanishes_at_full_fidelity():
    kernel = fidelity_kernel(2).double()
    full = torch.cat([torch.rand(3, 2, dtype=torch.float64), torch.zeros(3, 1, dtype=torch.float64)], 1)
    with torch.no_grad():
        torch.testing.assert_close(kernel(full).to_dense(), kernel.kernels[0](full).to_dense())


def test_the_mean_falls_along_the_gap_alone():
    mean = GapMean(2).double()
    mean.initialize(constant=torch.tensor([2.0]), slope=torch.tensor([-3.0]))
    points = torch.tensor([[0.1, 0.9, 0.0], [0.5, 0.5, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(mean(points).detach(), torch.tensor([2.0, 0.5], dtype=torch.float64))


def test_fits_come_from_the_store_of_fits_only_for_the_same_data():
    inputs, values = seen(10)
    first = fit_process(inputs, values, True, False)
    assert fit_process(inputs.clone(), values.clone(), True, False) is first
    assert fit_process(inputs, values + 0.1, True, False) is not first


def test_hyperparameters_are_fitted_anew_at_a_sixth_more():
    assert [num_fitted(number) for number in (3, 8, 9, 10, 11, 12)] == [3, 8, 8, 10, 10, 12]
    assert all(0.8 * number < num_fitted(number) <= number for number in range(12, 400))


def test_costs_in_proportion_to_fidelity_are_found_from_three_points():
    features = torch.tensor([[0.0], [0.5], [1.0]], dtype=torch.float64)
    fidelities = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64)
    found = CostModel.fit(features, fidelities, 7.0 * fidelities)
    torch.testing.assert_close(found.predict(features, fidelities), 7.0 * fidelities, rtol=1e-6, atol=0.0)


def test_costs_that_grow_with_the_design_are_found_too():
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(40, 2, dtype=torch.float64, generator=generator)
    fidelities = torch.rand(40, dtype=torch.float64, generator=generator).clamp(min=0.05)
    costs = 3.0 * fidelities**0.8 * (2.0 * features[:, 0]).exp()
    found = CostModel.fit(features, fidelities, costs)
    torch.testing.assert_close(found.predict(features, fidelities), costs, rtol=0.05, atol=0.0)


def test_goals_over_a_decade_are_seen_in_logarithms():
    values = torch.tensor([1e-9, 1e-8, 1e-6], dtype=torch.float64)
    scale = GoalScale.of(values, "minimise")
    assert scale.is_log
    assert scale.apply(values).argmax() == 0
    assert not GoalScale.of(values - 1e-7, "minimise").is_log
    assert GoalScale.of(values[:1], "maximise").deviation == 1.0


def test_gaps_go_from_zero_in_full_to_one_at_the_lowest():
    fidelities = torch.tensor([0.01, 0.1, 1.0], dtype=torch.float64)
    torch.testing.assert_close(gap_of(fidelities, 0.01), torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64))
    assert not gap_of(fidelities, 1.0).any()
