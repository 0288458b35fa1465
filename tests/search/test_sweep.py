"""`sweep`: failures stay single, budgets hold, Ctrl-C loses nothing, and bad input is refused before any work."""

import math
import sys
from functools import partial

import pytest

import search_objectives as objectives
from crossloom.errors import ConfigError, SearchError
from crossloom.search import (
    Budget,
    Choice,
    ContinuousFidelity,
    Float,
    Genetic,
    Grid,
    Int,
    Outcome,
    Processes,
    Study,
    sweep,
)

X = {"x": Float(0.0, 10.0)}
N = {"n": Int(1, 8)}
LOSS = {"loss": "minimise"}


def test_a_sweep_finds_the_least_of_a_bowl():
    study = sweep(objectives.bowl, X, LOSS, budget=60)
    assert abs(study.best.values["x"] - 3.0) < 0.3
    assert len(study.points) == 60


@pytest.mark.parametrize("bad", [float("nan"), math.inf, -math.inf, "raise"])
def test_a_point_that_fails_is_kept_with_its_reason_and_the_rest_goes_on(bad):
    def objective(values):
        if values["n"] == 3 and bad == "raise":
            raise RuntimeError("no such chip")
        return bad if values["n"] == 3 else 1.0

    study = sweep(objective, N, LOSS, sampler="grid")
    assert [point.state for point in study.points] == ["done", "done", "failed"] + ["done"] * 5
    failure = study.points[2].failure
    if bad == "raise":
        assert "Traceback" in failure
        assert failure.rstrip().endswith("RuntimeError: no such chip")
        assert 'raise RuntimeError("no such chip")' in failure
    else:
        assert failure == f"the objective returned {bad} as loss; wanted a finite number"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (lambda: 10**400, "wanted a number"),
        ([1.0, 2.0], "wanted a number"),
        (lambda: Outcome(0.5), "figures by name"),
        (lambda: sys.exit(0), "SystemExit: 0"),
        (lambda: {"loss": 1.0, "other": math.nan}, "as other"),
        (Outcome({"loss": 1.0}, {"loss": -0.1}), "below zero"),
        (Outcome({"loss": 1.0}, cost=-1.0), "below zero"),
    ],
)
def test_whatever_one_point_returns_the_others_go_on(tmp_path, answer, word):
    def objective(values):
        if values["n"] != 2:
            return 1.0
        return answer() if callable(answer) else answer

    study = sweep(objective, N, LOSS, sampler="grid", store=tmp_path / "s.db")
    assert [point.state for point in study.points] == ["done", "failed"] + ["done"] * 6
    assert word in study.points[1].failure


def test_a_traceback_of_any_length_and_of_any_characters_is_kept(tmp_path):
    def objective(values):
        if values["n"] == 2:
            raise ValueError("begin " + "x" * 10**6 + " \ud800 \0 end")
        return 1.0

    study = sweep(objective, N, LOSS, sampler="grid", store=tmp_path / "s.db")
    failure = study.points[1].failure
    assert len(failure) < 50_000
    assert "ValueError: begin" in failure
    assert "characters are left out" in failure
    assert failure.rstrip().endswith("\\ud800 \\0 end")
    assert Study.from_store(tmp_path / "s.db") == study


def test_a_fidelity_goes_to_the_parameter_of_that_name_or_to_a_second_one_that_must_be_given():
    def by_name(values, verbose=False, *, fidelity=1.0):
        return 1.0 + verbose + fidelity

    def by_place(values, share):
        return 1.0 + share

    for objective in (by_name, by_place):
        study = sweep(objective, X, LOSS, sampler=ContinuousFidelity(lowest=0.25), budget=1)
        assert [(p.fidelity, p.outcome.values["loss"]) for p in study.points] == [(0.25, 1.25)]


def test_an_objective_without_fidelity_is_not_asked_for_one(tmp_path):
    """A second parameter with a default is a setting, and one that is bound stays as it is."""

    def with_setting(values, steps=7):
        return steps

    def bound(values, fidelity):
        return fidelity

    for objective, loss in ((with_setting, 7.0), (partial(bound, fidelity=0.5), 0.5)):
        assert sweep(objective, X, LOSS, sampler="random", budget=1).best.outcome.values["loss"] == loss
        with pytest.raises(SearchError, match=r"fidelity of 0\.25, which the objective does not take"):
            sweep(objective, X, LOSS, sampler=ContinuousFidelity(lowest=0.25), budget=1)


def test_failed_points_are_run_again_only_when_asked(tmp_path):
    calls, broken = [], [True]

    def objective(values):
        calls.append(values["n"])
        if broken[0] and values["n"] > 5:
            raise RuntimeError
        return 1.0

    call = {"sampler": "grid", "store": tmp_path / "s.db"}
    sweep(objective, N, LOSS, **call)
    broken[0] = False
    assert [p.state for p in sweep(objective, N, LOSS, **call).points].count("failed") == 3
    assert len(calls) == 8
    study = sweep(objective, N, LOSS, **call, retry_failed=True)
    assert [point.state for point in study.points] == ["done"] * 8
    assert calls[8:] == [6, 7, 8]


def test_ctrl_c_leaves_the_store_whole_and_says_how_to_go_on(tmp_path):
    calls = []

    def objective(values):
        calls.append(values["n"])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return 1.0

    with pytest.raises(
        KeyboardInterrupt, match=r"stopped after 3 points, kept in .*s\.db; the same call goes on"
    ):
        sweep(objective, N, LOSS, sampler="grid", store=tmp_path / "s.db")
    held = Study.from_store(tmp_path / "s.db")
    assert [point.state for point in held.points] == ["done"] * 3 + ["waiting"]
    sweep(objective, N, LOSS, sampler="grid", store=tmp_path / "s.db")
    assert calls == [1, 2, 3, 4, 4, 5, 6, 7, 8]


def test_equal_proposals_are_run_once_and_share_their_outcome():
    calls = []

    def objective(values):
        calls.append((values["n"], values["c"]))
        return float(values["n"])

    space = {"n": Int(1, 6), "c": Choice(["a", "b"])}
    study = sweep(objective, space, LOSS, sampler=Genetic(population=4), budget=100)
    assert len(calls) == len(set(calls)) == len(study.points)
    assert len(study.points) >= 4


def test_a_search_ends_when_a_finite_space_is_used_up():
    assert len(sweep(objectives.counting("/dev/null"), N, LOSS, sampler="random", budget=100).points) == 8


def test_start_points_come_first_and_only_once(tmp_path):
    start = [{"x": 7.0}, {"x": 3.0}]
    for _ in range(2):
        study = sweep(
            objectives.bowl, X, LOSS, sampler="random", budget=5, start=start, store=tmp_path / "s.db"
        )
    assert [point.values["x"] for point in study.points[:2]] == [7.0, 3.0]
    assert (len(study.points), study.best.number) == (5, 1)


def test_a_budget_of_compute_counts_what_outcomes_say():
    def objective(values, fidelity):
        return Outcome({"loss": values["x"]}, cost=2.5)

    study = sweep(objective, X, LOSS, sampler="random", budget=Budget(cost=10.0))
    assert len(study.points) == 4


def test_a_budget_of_seconds_counts_over_calls(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("crossloom.search.session.time.monotonic", lambda: now[0])

    def objective(values):
        now[0] += 1.0
        return values["x"]

    call = {"sampler": "random", "store": tmp_path / "s.db"}
    assert len(sweep(objective, X, LOSS, budget=Budget(seconds=3.5), **call).points) == 4
    now[0] += 1000.0  # between calls no time is spent
    assert len(sweep(objective, X, LOSS, budget=Budget(seconds=3.5), **call).points) == 4
    assert len(sweep(objective, X, LOSS, budget=Budget(seconds=6.0), **call).points) == 6


def test_a_budget_of_seconds_holds_without_a_store(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("crossloom.search.session.time.monotonic", lambda: now[0])

    def objective(values):
        now[0] += 1.0
        assert now[0] < 10.0
        return values["x"]

    assert len(sweep(objective, X, LOSS, sampler="random", budget=Budget(seconds=3.5)).points) == 4


def test_figures_that_are_no_goals_are_kept_too():
    study = sweep(objectives.two_goals, X, LOSS, sampler="random", budget=2)
    assert set(study.points[0].outcome.values) == {"loss", "size"}


@pytest.mark.parametrize(
    ("result", "word"),
    [
        ({"error": 1.0}, "returned error; wanted loss too"),
        (None, "returned a NoneType"),
        ({}, "returned nothing; wanted loss"),
        ("good", "returned 'good' as loss; wanted a number"),
    ],
)
def test_an_objective_without_its_goals_stops_the_sweep_with_one_clear_error(tmp_path, result, word):
    call = {"sampler": "grid", "store": tmp_path / "s.db"}
    answer = [result]

    def objective(values):
        return answer[0]

    with pytest.raises(SearchError, match=word):
        sweep(objective, N, LOSS, **call)
    assert [point.state for point in Study.from_store(tmp_path / "s.db").points] == ["waiting"]
    answer[0] = 1.0
    assert len(sweep(objective, N, LOSS, **call).points) == 8


def test_goals_that_go_missing_later_fail_single_points():
    def objective(values):
        return {"loss": 1.0} if values["n"] != 4 else {"los": 1.0}

    study = sweep(objective, N, LOSS, sampler="grid")
    assert [point.number for point in study.points if point.state == "failed"] == [3]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"goals": {"loss": "less"}}, "maximise or minimise"),
        ({"goals": {}}, "wants goals"),
        ({"goals": {"loss": ["maximise"]}}, "maximise or minimise"),
        ({"objective": 3}, "wants a function"),
        ({"sampler": Grid}, r"such as Tpe\(\)"),
        ({"executor": Processes}, r"such as Processes\(\)"),
        ({"space": {"n": Int(1, 10**8)}, "sampler": "grid"}, "grid of 100,000,000 values of n is too large"),
        ({"space": {}}, "at least one knob"),
        ({"sampler": "sobl"}, "no sampler is called 'sobl'; did you mean sobol"),
        ({"sampler": Grid()}, "needs a resolution"),
        ({"executor": "rays"}, "no executor is called 'rays'; did you mean ray"),
        ({"budget": None}, "wants a budget"),
        ({"budget": 0}, "points"),
        ({"budget": "much"}, "Budget or a number of points"),
        ({"start": [{"y": 1.0}]}, "no knob 'y'"),
        ({"start": [{"x": 11.0}]}, "x wants 0 to 10"),
    ],
)
def test_bad_input_is_refused_before_any_work(tmp_path, change, word):
    def never(values):
        raise AssertionError

    call = {"objective": never, "space": X, "goals": LOSS, "sampler": "random", "budget": 5}
    with pytest.raises((SearchError, ConfigError), match=word):
        sweep(**(call | change), store=tmp_path / "s.db")
    assert not list(tmp_path.iterdir())


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(SearchError, match="points, seconds or cost"):
        Budget()


def test_a_summary_says_why_points_failed():
    def objective(values):
        return 1 / 0 if values["x"] > 2 else values["x"]

    study = sweep(objective, {"x": Int(1, 5)}, {"y": "minimise"}, sampler="grid")
    assert "  3 failed: ZeroDivisionError: division by zero" in study.summary().splitlines()
