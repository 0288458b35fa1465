"""Objectives over chips: mean and standard error."""

from functools import partial
from statistics import fmean, stdev

import pytest

from crossloom.errors import SearchError
from crossloom.search import Float, Outcome, over_chips, sweep


def chip(values, seed):
    return {"accuracy": values["x"] + 0.1 * (seed * 7 % 5), "energy": 2.0}


def test_the_outcome_is_the_mean_over_chips_with_its_standard_error():
    outcome = over_chips(chip, 5)({"x": 0.5})
    series = [0.5 + 0.1 * (seed * 7 % 5) for seed in range(5)]
    assert outcome.values["accuracy"] == pytest.approx(fmean(series))
    assert outcome.errors["accuracy"] == pytest.approx(stdev(series) / 5**0.5)
    assert outcome.errors["energy"] == 0.0


def test_one_chip_has_no_error():
    assert over_chips(chip, [3])({"x": 0.5}).errors == {}


def test_costs_add_and_the_fidelity_is_passed_on():
    def costly(values, seed, fidelity):
        return Outcome({"y": fidelity}, cost=10 * fidelity)

    outcome = over_chips(costly, 3)({}, 0.5)
    assert (outcome.values["y"], outcome.cost) == (0.5, 15.0)


def test_settings_of_an_objective_over_chips_are_no_fidelity():
    def judge(values, seed, settings):
        return {"y": float(settings)}

    def keyword(values, seed, *, scale=2.0):
        return {"y": scale}

    for objective, value in ((partial(judge, settings=3), 3.0), (keyword, 2.0)):
        chips = over_chips(objective, 2)
        assert chips({}, 0.5).values["y"] == value
        assert not chips.takes_fidelity


def test_a_front_carries_error_bars():
    study = sweep(
        over_chips(chip, 4),
        {"x": Float(0, 1)},
        {"accuracy": "maximise", "energy": "minimise"},
        sampler="sobol",
        budget=8,
    )
    assert study.front
    assert all(point.outcome.errors["accuracy"] > 0 for point in study.front)


def test_chips_whose_figures_differ_fail_the_point():
    def strange(values, seed):
        return {"a": 1.0} if seed else {"b": 1.0}

    with pytest.raises(SearchError, match="seed 1 gave a; the first gave b"):
        over_chips(strange, 2)({})


@pytest.mark.parametrize("seeds", [0, [], [1, 1]])
def test_seeds_that_are_none_or_come_twice_are_refused(seeds):
    with pytest.raises(SearchError, match="different seeds"):
        over_chips(chip, seeds)
