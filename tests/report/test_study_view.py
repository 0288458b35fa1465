"""A study on a page, on a terminal and as JSON."""

import time
from itertools import pairwise

import pytest
from plotly.graph_objects import Figure
from reading_pages import Elements, check_page, figures_of
from small_costs import make_cost, make_tuning
from small_studies import SPACE, TRACEBACK, make_study

from crossloom.errors import ConfigError
from crossloom.report import CostView, StudyView, TuningView, report_of
from crossloom.report.study.columns import make_columns
from crossloom.report.study.front_figure import draw_front, find_border
from crossloom.search import Study

FOUR = ("accuracy", "energy", "area", "latency")


@pytest.fixture(scope="module")
def four() -> StudyView:
    return StudyView(make_study(80, FOUR))


@pytest.fixture(scope="module")
def page(four) -> str:
    return four.to_html()


def test_the_page_is_whole_and_plotly_knows_its_pictures(page):
    check_page(page)
    figures = figures_of(page)
    assert set(figures) == {"study_front", "study_trajectory", "study_importance"}
    for figure in figures.values():
        Figure({"data": figure["data"], "layout": figure["layout"]})


def test_the_front_is_the_studys_and_carries_errors_over_chips(four):
    study, figure = make_study(80, FOUR), figures_of(four.to_html())["study_front"]
    *_, front = figure["data"]
    assert front["name"] == f"Pareto front ({len(study.front)})"
    wanted = [100 * point.outcome.values["accuracy"] for point in study.front]
    assert front["y"] == pytest.approx(wanted)
    assert front["error_y"]["array"] == pytest.approx([0.4] * len(wanted))
    assert [trace["name"].split(" (")[0] for trace in figure["data"]] == [
        "border of these two goals",
        "of lower fidelity",
        "other points",
        "Pareto front",
    ]


def test_axes_may_be_any_goal_or_any_knob_that_is_a_number(page):
    elements = Elements(page).found
    axes = [attributes["data-axis"] for tag, attributes in elements if tag == "select"]
    assert sorted(axes) == ["x", "y"]
    choices = figures_of(page)["study_front"]["axes"]
    names = [column["name"] for column in choices["columns"]]
    assert names == [*FOUR, *(name for name in SPACE.names if name != "mapping.encoding")]
    assert len([tag for tag, _ in elements if tag == "option"]) == 2 * len(names)
    done = sum(len(own) for own in choices["traces"] if own is not None)
    assert all(len(column["values"]) == done for column in choices["columns"])
    assert set(choices["borders"]) == {f"{x},{y}" for x in range(4) for y in range(4) if x != y}


@pytest.mark.parametrize(("x", "y"), [("energy", "accuracy"), ("accuracy", "energy"), ("area", "latency")])
def test_no_point_of_full_fidelity_beats_the_border(four, x, y):
    facts = four.to_json()
    points = [point for point in facts["points"] if point["state"] == "done"]
    columns = {column.name: column for column in make_columns(facts, points)}
    border = find_border(columns[x], columns[y], points)
    sign = {name: -1 if columns[name].direction == "maximise" else 1 for name in (x, y)}
    losses = [
        [sign[name] * points[number]["values"][name] for name in (x, y)] for number in range(len(points))
    ]
    for number, point in enumerate(points):
        if point["fidelity"] < 1:
            assert number not in border
            continue
        is_beaten = any(
            all(a <= b for a, b in zip(losses[other], losses[number], strict=True))
            and losses[other] != losses[number]
            for other in range(len(points))
            if points[other]["fidelity"] >= 1
        )
        assert not (number in border and is_beaten)
        assert is_beaten or any(losses[kept] == losses[number] for kept in border)
    values = [points[number]["values"][x] for number in border]
    assert all(low < high for low, high in pairwise(values))


def test_figures_carry_units_and_a_scale_for_people(four):
    figure = draw_front(four.to_json())
    assert figure["layout"]["xaxis"]["title"]["text"] == "energy (µJ) ← better"
    assert figure["layout"]["yaxis"]["title"]["text"] == "accuracy (%) → better"
    assert figure["layout"]["xaxis"]["type"] == "log"
    text = four.summary()
    assert all(title in text for title in ("accuracy (%)", "energy (µJ)", "area (mm²)", "latency (µs)"))


def test_with_one_goal_the_points_stand_beside_the_best_so_far():
    view = StudyView(make_study(30, ("accuracy",)))
    page = view.to_html()
    check_page(page)
    figures = figures_of(page)
    assert "study_front" not in figures
    points, best = figures["study_trajectory"]["data"]
    done = [
        point for point in view.to_json()["points"] if point["state"] == "done" and point["fidelity"] == 1
    ]
    assert len(points["y"]) == len(done)
    known = [value for value in best["y"] if value is not None]
    assert known == sorted(known)
    assert known[-1] == pytest.approx(max(points["y"]))


def test_failures_are_told_once_with_their_traceback_folded_away(four, page):
    failed = [point["number"] for point in four.to_json()["points"] if point["state"] == "failed"]
    summary = f"<summary>{len(failed)} points: crossloom.errors.CapacityError: &lt;b&gt;37 tiles&lt;/b&gt;"
    assert page.count(summary) == 1
    assert "line 3, in build" in page
    assert "<b>37 tiles" not in page[: page.index("<script")]
    text = four.summary()
    assert TRACEBACK.splitlines()[-1] in text
    assert "line 3" not in text


def test_the_text_fits_the_terminal_and_names_what_matters(four):
    text = four.summary()
    assert max(map(len, text.splitlines())) <= 100
    assert f"{len(make_study(80, FOUR).points)} points: " in text
    assert "share in reaching the best" in text


def test_a_study_without_any_point_is_a_page_too():
    view = StudyView(Study("nothing yet", SPACE, {"accuracy": "maximise", "energy": "minimise"}, ()))
    page = view.to_html()
    check_page(page)
    assert figures_of(page) == {}
    assert "0 points: none yet" in view.summary()


def test_a_study_of_failures_alone_is_a_page_too():
    view = StudyView(make_study(3, fails=1 + 1))
    only = Study(
        "bad luck", SPACE, {"accuracy": "maximise"}, tuple(p for p in make_study(3).points if p.failure)
    )
    view = StudyView(only)
    check_page(view.to_html())
    assert "1 point: 1 failed" in view.summary()


def test_what_users_write_is_escaped():
    study = make_study(6)
    odd = Study("<script>alert(1)</script>", study.space, study.goals, study.points)
    page = StudyView(odd).to_html()
    assert "<script>alert(" not in page


def test_report_of_finds_the_report_of_each_artefact(tmp_path):
    for artefact, kind in ((make_cost(), CostView), (make_tuning(), TuningView), (make_study(4), StudyView)):
        view = report_of(artefact, "A title")
        assert isinstance(view, kind)
        assert view.to_json()["title"] == "A title"
    with pytest.raises(ConfigError, match="got a dict; of a run, make a Report"):
        report_of({})  # type: ignore[arg-type]


def test_500_points_load_and_render_within_three_seconds(tmp_path):
    study = make_study(500, FOUR)
    study.save(tmp_path / "study.xloom")
    StudyView(make_study(30, FOUR)).to_html()  # libraries are loaded once, and not counted
    began = time.process_time()
    StudyView(Study.load(tmp_path / "study.xloom")).save(tmp_path / "study.html")
    assert time.process_time() - began < 3.0
    assert (
        len(figures_of((tmp_path / "study.html").read_text())["study_front"]["axes"]["columns"][0]["values"])
        > 400
    )
