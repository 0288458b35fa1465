"""Pareto fronts and hypervolumes against plain twins."""

import numpy as np
import pytest

from crossloom.search.fronts import default_reference, is_on_front, volume, volumes


def _beats(a, b):
    return (a <= b).all() and (a < b).any()


@pytest.mark.parametrize("num_goals", [1, 2, 3, 4])
def test_the_front_is_what_no_other_point_beats(num_goals):
    losses = np.random.default_rng(0).integers(0, 5, (60, num_goals)).astype(float)  # with equal points
    expected = [not any(_beats(other, loss) for other in losses) for loss in losses]
    assert is_on_front(losses).tolist() == expected
    assert 0 < sum(expected) < 60


@pytest.mark.parametrize("num_goals", [1, 2, 3, 4])
def test_the_volume_is_the_share_of_a_box_that_points_dominate(num_goals):
    generator = np.random.default_rng(1)
    losses, reference = generator.random((12, num_goals)), np.full(num_goals, 0.9)
    drawn = generator.random((200_000, num_goals)) * 0.9
    dominated = np.zeros(len(drawn), dtype=bool)
    for loss in losses:
        dominated |= (loss <= drawn).all(axis=1)
    share = dominated.mean()
    error = 5 * np.sqrt(share * (1 - share) / len(drawn)) * 0.9**num_goals  # five sigma of 200,000 draws
    assert abs(volume(losses, reference) - share * 0.9**num_goals) < error


@pytest.mark.parametrize("num_goals", [2, 3, 4])
def test_volumes_point_by_point_are_those_of_all_points_so_far(num_goals):
    losses = np.random.default_rng(2).random((40, num_goals))
    reference = np.full(num_goals, 0.8)
    expected = [volume(losses[: count + 1], reference) for count in range(40)]
    np.testing.assert_allclose(volumes(losses, reference), expected, rtol=1e-12)


def test_points_beyond_the_reference_count_for_nothing():
    losses = np.array([[0.2, 0.2], [0.1, 1.5]])
    assert volume(losses, np.array([1.0, 1.0])) == pytest.approx(0.64)
    assert volume(losses[1:], np.array([1.0, 1.0])) == 0.0


def test_the_usual_reference_is_worse_than_every_point():
    losses = np.array([[0.0, 5.0], [1.0, 5.0]])
    assert (default_reference(losses) > losses.max(0)).all()
