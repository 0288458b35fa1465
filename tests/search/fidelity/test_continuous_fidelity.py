"""The sampler at work: on a problem whose truth is known, resumed, and with what cannot be."""

from itertools import pairwise

import pytest
import torch

pytest.importorskip("botorch")

from botorch.test_functions.multi_objective_multi_fidelity import MOMFBraninCurrin
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated

from crossloom.errors import SearchError
from crossloom.search import (
    SAMPLERS,
    Budget,
    Choice,
    ContinuousFidelity,
    Float,
    Int,
    Outcome,
    Point,
    Space,
    sweep,
)

SPACE = Space({"a": Float(0, 1), "b": Float(0, 1)})
GOALS = {"branin": "maximise", "currin": "maximise"}
MIXED = Space({"size": Choice((32, 64, 128)), "kind": Choice(("x", "y", "z")), "bits": Int(1, 8)})
REFERENCE = torch.tensor(
    [-0.7, -0.25], dtype=torch.float64
)  # a tenth of random designs is worse in each goal
BEST = 1.67  # hypervolume of 20,000 random designs


def branin_currin(values, fidelity=1.0):
    """Irshad, Karsch and Döpp, arXiv 2112.13901, by BoTorch; costs are the fidelity."""
    point = torch.tensor([[values["a"], values["b"], fidelity]], dtype=torch.float64)
    branin, currin = MOMFBraninCurrin()(point)[0].tolist()
    return Outcome({"branin": branin, "currin": currin}, cost=fidelity)


def mixed(values, fidelity=1.0):
    """One goal that training changes, one that it does not."""
    accuracy = 1 - 1 / values["bits"] - 0.3 * (1 - fidelity) - (values["kind"] == "y") * 0.1
    return Outcome({"accuracy": accuracy, "area": values["size"] * 2.0 ** values["bits"]}, cost=fidelity)


def hypervolume(designs):
    """Share of the best that designs dominate, at what they are in full."""
    values = torch.tensor(
        [list(branin_currin(design).values.values()) for design in designs], dtype=torch.float64
    )
    return Hypervolume(REFERENCE).compute(values[is_non_dominated(values)]) / BEST


def history(sampler, space, goals, objective, number, seed=0, batch=1, points=()):
    """Go on until there are so many points."""
    points = list(points)
    while len(points) < number:
        for item in sampler.propose(space, goals, points, min(batch, number - len(points)), seed):
            outcome = objective(item.values, item.fidelity)
            points.append(Point(len(points), item.values, item.fidelity, outcome=outcome))
    return points


@pytest.fixture(scope="module")
def started():
    return history(ContinuousFidelity(), SPACE, GOALS, branin_currin, 10, batch=10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_tenth_of_the_compute_reaches_95_percent_of_the_hypervolume_of_full_evaluations(seed):
    # 4 against 40 full evaluations; three seeds; 95 % of full search's own final hypervolume.
    cheap = ContinuousFidelity(lowest=0.05)
    points = sweep(branin_currin, SPACE, GOALS, sampler=cheap, budget=Budget(cost=3.5), seed=seed).points
    assert sum(point.cost for point in points) <= 4.5
    recommended = [item.values for item in cheap.recommend(SPACE, GOALS, points)]
    whole = sweep(
        branin_currin, SPACE, GOALS, sampler=ContinuousFidelity(lowest=1.0), budget=40, seed=seed
    ).points
    assert hypervolume(recommended) >= 0.95 * hypervolume([point.values for point in whole])


def test_cheap_evaluations_find_the_front_for_the_price_of_three(started):
    # Seed 0; 14 proposals by information after the first 10 reach 0.76; three random designs 0.05 to 0.4.
    sampler = ContinuousFidelity()
    points = history(sampler, SPACE, GOALS, branin_currin, 24, batch=7, points=started)
    assert sum(point.cost for point in points) < 4
    assert hypervolume([item.values for item in sampler.recommend(SPACE, GOALS, points)]) > 0.7


def test_a_search_that_is_resumed_proposes_what_it_would_have_proposed(started):
    ahead = history(ContinuousFidelity(), SPACE, GOALS, branin_currin, 12, points=started)
    for number in (10, 11):
        [again] = ContinuousFidelity().propose(SPACE, GOALS, ahead[:number], 1, 0)
        assert (again.values, again.fidelity) == (ahead[number].values, ahead[number].fidelity)


def test_another_seed_proposes_other_designs(started):
    first, second = (ContinuousFidelity().propose(SPACE, GOALS, started, 1, seed)[0] for seed in (0, 1))
    assert first.values != second.values


def test_proposals_of_one_batch_differ_and_avoid_what_runs(started):
    running = Point(10, {"a": 0.5, "b": 0.5}, 1.0, state="running")
    batch = ContinuousFidelity().propose(SPACE, GOALS, [*started, running], 4, 0)
    assert len({(SPACE.key(item.values), item.fidelity) for item in batch}) == 4
    assert all(item.values != running.values for item in batch)


def test_a_design_is_seen_again_only_at_a_higher_fidelity():
    points = history(ContinuousFidelity(lowest=0.1, num_initial=6), MIXED, GOALS_MIXED, mixed, 18, batch=5)
    levels: dict[str, list[float]] = {}
    for point in points:
        levels.setdefault(MIXED.key(point.values), []).append(point.fidelity)
    assert all(low < high for found in levels.values() for low, high in pairwise(found))


def test_fidelities_are_those_that_can_be_asked_for():
    sampler = ContinuousFidelity(lowest=0.2, levels=(0.2, 0.4, 0.8), num_initial=6)
    points = history(sampler, MIXED, GOALS_MIXED, mixed, 14, batch=3)
    assert {point.fidelity for point in points} <= {0.2, 0.4, 0.8, 1.0}


def test_full_fidelity_alone_is_a_search_too():
    sampler = ContinuousFidelity(lowest=1.0, num_initial=6)
    points = history(sampler, MIXED, GOALS_MIXED, mixed, 9, batch=3)
    assert {point.fidelity for point in points} == {1.0}


def test_what_was_seen_in_full_everywhere_leaves_nothing_to_propose():
    small = Space({"bits": Int(1, 3), "size": Choice((32, 64)), "kind": Choice(("x",))})
    points = [Point(n, v, 1.0, outcome=mixed(v)) for n, v in enumerate(small.grid())]
    assert ContinuousFidelity(lowest=0.1, num_initial=1).propose(small, GOALS_MIXED, points, 4, 0) == []


def test_designs_that_failed_are_left_alone():
    sampler = ContinuousFidelity(lowest=0.1, num_initial=6)
    points = history(sampler, MIXED, GOALS_MIXED, mixed, 8, batch=8)
    [wanted] = sampler.propose(MIXED, GOALS_MIXED, points, 1, 0)
    failed = Point(8, wanted.values, wanted.fidelity, state="failed", failure="no")
    batch = sampler.propose(MIXED, GOALS_MIXED, [*points, failed], 6, 0)
    assert batch
    assert all(item.values != wanted.values for item in batch)


def test_a_search_whose_first_designs_all_fail_goes_on_with_others():
    sampler = ContinuousFidelity(num_initial=2)
    failed = [
        Point(number, item.values, item.fidelity, state="failed")
        for number, item in enumerate(sampler.propose(SPACE, GOALS, [], 10, 0))
    ]
    [after] = sampler.propose(SPACE, GOALS, failed, 1, 0)
    assert all(after.values != point.values for point in failed)


def test_the_exact_goal_is_learned_from_cheap_evaluations():
    sampler = ContinuousFidelity(lowest=0.1, exact=("area",), num_initial=8)
    points = history(sampler, MIXED, GOALS_MIXED, mixed, 16, batch=8)
    recommended = {MIXED.key(item.values) for item in sampler.recommend(MIXED, GOALS_MIXED, points)}
    seen = {MIXED.key(point.values): mixed(point.values).values for point in points}
    # Nothing that is plainly worse than another design seen is recommended: kind y costs 0.1 for nothing.
    for key in recommended:
        mine = seen[key]
        rivals = [
            other
            for other in seen.values()
            if other["area"] <= mine["area"] and other["accuracy"] > mine["accuracy"] + 0.15
        ]
        assert not rivals


GOALS_MIXED = {"accuracy": "maximise", "area": "minimise"}


def test_nothing_is_recommended_before_anything_is_known():
    assert ContinuousFidelity().recommend(SPACE, GOALS, []) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lowest": 0.0}, r"lowest fidelity wants to be in \(0, 1\], got 0"),
        ({"lowest": 1.5}, "got 1.5"),
        ({"levels": (0.01, 0.5)}, "levels want to be from lowest=0.05 to 1, got 0.01"),
        ({"bound": "box"}, "bound is 'front' or 'maxima', got 'box'"),
        ({"num_samples": 0}, "num_samples wants at least 1, got 0"),
        ({"resolution": -1.0}, "resolution wants 0 or more, got -1"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(SearchError, match=message):
        ContinuousFidelity(**options)


def test_an_exact_goal_that_is_none_is_refused_with_the_nearest_name():
    with pytest.raises(SearchError, match="exact names no goal: 'curin'; did you mean currin"):
        ContinuousFidelity(exact=("curin",)).check(SPACE, GOALS)


def test_goals_that_are_all_exact_need_no_fidelity():
    with pytest.raises(SearchError, match="every goal is exact"):
        ContinuousFidelity(exact=tuple(GOALS)).check(SPACE, GOALS)
    ContinuousFidelity(exact=tuple(GOALS), lowest=1.0).check(SPACE, GOALS)


def test_it_is_known_by_name():
    assert SAMPLERS["continuous_fidelity"] is ContinuousFidelity
