"""What an observation tells of the front, against Monte Carlo and against closed forms."""

import pytest
import torch

pytest.importorskip("botorch")

from crossloom.search.fidelity.bounds import goal_bounds, is_unbeaten
from crossloom.search.fidelity.gain import information_gain, quick_gain


def truncated_normal_gain(bound: torch.Tensor) -> torch.Tensor:
    """b phi(b) / (2 Phi(b)) - ln Phi(b), Wang and Jegelka, ICML 2017."""
    normal = torch.distributions.Normal(torch.zeros((), dtype=bound.dtype), 1.0)
    mass = normal.cdf(bound)
    return bound * normal.log_prob(bound).exp() / (2 * mass) - mass.log()


def test_without_noise_the_gain_is_that_of_a_truncated_normal():
    bound = torch.linspace(-2.5, 4, 27, dtype=torch.float64)
    found = information_gain(bound, torch.tensor(1.0, dtype=torch.float64))
    # The quadrature takes 0.995 for 1, which tells up to a sixth less where the bound lies low.
    assert (found <= truncated_normal_gain(bound) + 1e-7).all()
    torch.testing.assert_close(found, truncated_normal_gain(bound), rtol=0.16, atol=1e-6)


@pytest.mark.parametrize("correlation", [0.3, 0.8, 0.95])
@pytest.mark.parametrize("bound", [-1.0, 0.0, 1.5])
def test_the_gain_is_that_of_a_million_draws(bound, correlation):
    # 10^6 draws, seed 0; histogram of 0.05 per bin, whose entropy is off by under 0.01 nats.
    generator = torch.Generator().manual_seed(0)
    goal, other = torch.randn(2, 1_000_000, dtype=torch.float64, generator=generator)
    observed = correlation * goal + (1 - correlation**2) ** 0.5 * other
    width, edges = 0.05, torch.linspace(-6, 6, 241, dtype=torch.float64)

    def entropy(values):
        share = torch.histogram(values, edges).hist / len(values)
        share = share[share > 0]
        return -(share * (share / width).log()).sum()

    drawn = entropy(observed) - entropy(observed[goal <= bound])
    found = information_gain(*(torch.tensor(value, dtype=torch.float64) for value in (bound, correlation)))
    assert found == pytest.approx(float(drawn), abs=0.01)


def test_a_closer_observation_never_tells_less():
    correlation = torch.linspace(0, 0.995, 40, dtype=torch.float64)
    bound = torch.linspace(-4, 6, 21, dtype=torch.float64).unsqueeze(-1)
    gain = information_gain(bound, correlation)
    assert (gain.diff(dim=-1) >= -1e-3).all()
    assert (gain[:, 0].abs() < 1e-6).all()


def test_the_sign_of_the_correlation_tells_nothing_more():
    bound = torch.tensor([-1.0, 0.5], dtype=torch.float64)
    above = information_gain(bound, torch.tensor(0.7, dtype=torch.float64))
    torch.testing.assert_close(information_gain(bound, torch.tensor(-0.7, dtype=torch.float64)), above)


def test_bounds_along_the_front_are_those_of_a_loop_over_designs():
    samples = torch.randn(3, 40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    bounds = goal_bounds(samples, "front")
    for sample, found in zip(samples, bounds, strict=True):
        for design in range(40):
            for goal in range(3):
                others = [number for number in range(3) if number != goal]
                rivals = [
                    float(other[goal])
                    for other in sample
                    if all(other[number] >= sample[design, number] for number in others)
                ]
                assert float(found[design, goal]) == max(rivals)


def test_maxima_bound_every_design_alike_and_never_below_the_front():
    samples = torch.randn(2, 30, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    maxima = goal_bounds(samples, "maxima")
    torch.testing.assert_close(maxima[:, 0], samples.amax(1))
    assert (maxima >= goal_bounds(samples, "front")).all()


def test_the_table_gives_what_the_integral_gives():
    generator = torch.Generator().manual_seed(0)
    bound = 13 * torch.rand(4000, dtype=torch.float64, generator=generator) - 5
    correlation = 2 * torch.rand(4000, dtype=torch.float64, generator=generator) - 1
    torch.testing.assert_close(
        quick_gain(bound, correlation), information_gain(bound, correlation), rtol=0.0, atol=0.01
    )


def test_the_table_takes_what_lies_beyond_it_at_its_edge():
    far = quick_gain(torch.tensor([-50.0, 50.0]).double(), torch.tensor([1.0, 1.0]).double())
    near = quick_gain(torch.tensor([-5.0, 8.0]).double(), torch.tensor([1.0, 1.0]).double())
    torch.testing.assert_close(far, near)


def test_to_beat_is_to_be_ahead_somewhere_and_behind_nowhere():
    values = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.005, 0.0]], dtype=torch.float64)
    assert is_unbeaten(values, values).tolist() == [False, True, True, False]
    assert is_unbeaten(values[[0, 3]], values[[0, 3]]).tolist() == [True, True]  # a tie
