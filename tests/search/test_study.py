"""Studies: what is best, what was reached at what cost, which knobs matter."""

import time

import numpy as np
import pytest

from crossloom.errors import SearchError
from crossloom.search import Choice, Float, Int, Outcome, Point, Space, Study

SPACE = Space({"x": Float(0.0, 1.0), "n": Int(1, 9), "c": Choice(["a", "b"])})


def _points(figures, **others):
    values = [{"x": (7 * i % 11) / 11, "n": i % 9 + 1, "c": "ab"[i % 2]} for i in range(len(figures))]
    return tuple(
        Point(i, values[i], outcome=Outcome(figure, cost=2.0), **others) for i, figure in enumerate(figures)
    )


def _random_study(number, seed=0, goals=("accuracy", "area", "time", "energy")):
    generator = np.random.default_rng(seed)
    points = []
    for i in range(number):
        values = SPACE.from_unit(generator.random(3))
        figures = {name: float(generator.random() + 0.3 * values["x"]) for name in goals}
        points.append(Point(i, values, outcome=Outcome(figures, dict.fromkeys(goals, 0.01)), seconds=1.0))
    ways = {name: "maximise" if name == "accuracy" else "minimise" for name in goals}
    return Study("random", SPACE, ways, tuple(points))


def test_the_best_point_is_best_in_the_goals_own_direction():
    points = _points([{"y": 3.0}, {"y": 1.0}, {"y": 2.0}])
    assert Study("s", SPACE, {"y": "minimise"}, points).best.number == 1
    assert Study("s", SPACE, {"y": "maximise"}, points).best.number == 0


def test_partial_fidelity_costs_and_gives_no_result():
    whole, partial = _points([{"y": 3.0}, {"y": 4.0}]), _points([{"y": 9.0}], fidelity=0.5)
    points = (partial[0], Point(1, **_rest(whole[0])), Point(2, **_rest(whole[1])))
    study = Study("s", SPACE, {"y": "maximise"}, points)
    assert study.best.outcome.values["y"] == 4.0
    assert study.trajectory == ((2.0, None), (4.0, 3.0), (6.0, 4.0))


def _rest(point):
    return {"values": point.values, "outcome": point.outcome}


def test_failed_points_cost_their_seconds_and_reach_nothing():
    done, failed = (
        _points([{"y": 3.0}]),
        Point(1, _points([{"y": 1.0}])[0].values, state="failed", seconds=5.0),
    )
    study = Study("s", SPACE, {"y": "minimise"}, (*done, failed))
    assert study.trajectory == ((2.0, 3.0), (7.0, 3.0))
    assert "1 done, 1 failed" in study.summary()


def test_the_front_and_its_volume_follow_the_goals_directions():
    figures = [
        {"accuracy": 0.9, "energy": 2.0},
        {"accuracy": 0.8, "energy": 1.0},
        {"accuracy": 0.7, "energy": 1.5},
    ]
    study = Study("s", SPACE, {"accuracy": "maximise", "energy": "minimise"}, _points(figures))
    assert [point.number for point in study.front] == [0, 1]
    assert study.best is None
    expected = 0.9 * 3.0 - 0.9 * 2.0 + 0.8 * 1.0  # reference (0, 3): two boxes that overlap
    assert study.hypervolume({"accuracy": 0.0, "energy": 3.0}) == pytest.approx(expected)
    reached = [value for _, value in study.trace({"accuracy": 0.0, "energy": 3.0})]
    assert reached == pytest.approx([0.9, expected, expected])


def test_the_usual_trajectory_ends_at_the_usual_volume_and_never_falls():
    study = _random_study(60)
    reached = [value for _, value in study.trajectory]
    assert reached[-1] == pytest.approx(study.hypervolume())
    assert np.diff(reached).min() >= 0


@pytest.mark.parametrize(
    ("reference", "word"), [({"accuracy": 0.0}, "area is missing"), ({"power": 1}, "missing")]
)
def test_a_reference_without_a_goal_is_refused(reference, word):
    with pytest.raises(SearchError, match=word):
        _random_study(5).hypervolume(reference)


def test_a_reference_for_a_goal_that_there_is_not_is_refused_with_the_nearest_names():
    reference = {"accuracy": 0.0, "area": 9.0, "time": 9.0, "energy": 9.0, "areas": 1.0}
    with pytest.raises(SearchError, match="no goal 'areas'; did you mean area"):
        _random_study(5).hypervolume(reference)


def test_the_knob_that_alone_moves_a_goal_is_the_important_one():
    """120 points, seed 0: n decides alone, for either direction; the share of each of the others stays below 10 %."""
    generator = np.random.default_rng(0)
    values = [SPACE.from_unit(generator.random(3)) for _ in range(120)]
    points = tuple(Point(i, v, outcome=Outcome({"y": float(v["n"])})) for i, v in enumerate(values))
    for way in ("maximise", "minimise"):
        shares = Study("s", SPACE, {"y": way}, points).importance()["y"]
        assert sum(shares.values()) == pytest.approx(1.0)
        assert shares["n"] > 0.8, shares
        assert max(shares["x"], shares["c"]) < 0.1


def test_too_few_points_tell_no_importance():
    assert _random_study(19, goals=("accuracy",)).importance() == {"accuracy": {}}


def test_a_study_survives_its_file(tmp_path):
    study = _random_study(10)
    failed = Point(10, study.points[0].values, state="failed", failure="Traceback: no\nmemory", seconds=0.5)
    study = Study(study.name, study.space, study.goals, (*study.points, failed))
    study.save(tmp_path / "study.xloom")
    assert Study.load(tmp_path / "study.xloom") == study


def test_a_study_of_500_points_loads_in_well_under_a_second(tmp_path):
    study = _random_study(500)
    study.save(tmp_path / "study.xloom")
    Study.load(tmp_path / "study.xloom")
    began = time.process_time()
    assert len(Study.load(tmp_path / "study.xloom").points) == 500
    assert time.process_time() - began < 1.0


def test_a_study_without_points_says_so():
    study = Study("s", SPACE, {"y": "minimise"}, ())
    assert (study.best, study.front, study.trajectory, study.hypervolume()) == (None, (), (), 0.0)
    assert "no points yet" in study.summary()


@pytest.mark.parametrize("goals", [{}, None, {"y": "max"}, ["y"]])
def test_goals_that_are_none_are_refused(goals):
    with pytest.raises(SearchError, match=r"goals|maximise or minimise"):
        Study("s", SPACE, goals, ())


def test_figures_that_are_no_numbers_are_no_results():
    values = [{"loss": float("nan")}, {"loss": 2.0}, {"other": 1.0}]
    points = tuple(Point(i, {"x": 0.1 * i}, outcome=Outcome(each)) for i, each in enumerate(values))
    study = Study("s", Space({"x": Float(0, 1)}), {"loss": "minimise"}, points)
    assert study.best.number == 1
    assert [value for _, value in study.trajectory] == [None, 2.0, 2.0]


def test_the_reason_of_a_failure_is_what_was_raised_not_the_last_line_of_its_message():
    failure = 'Traceback:\n  File "a.py", line 3, in f\n    g()\nValueError: 2 errors\n- one\n- two\n'
    assert Point(0, {}, state="failed", failure=failure).reason == "ValueError: 2 errors"
    assert (
        Point(0, {}, state="failed", failure="the objective returned nan").reason
        == "the objective returned nan"
    )
    assert Point(0, {}, state="failed", failure=" \n").reason == "no reason is known"
