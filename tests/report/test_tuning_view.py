"""What tuning did, on a page, on a terminal and as JSON."""

from dataclasses import replace

import pytest
from plotly.graph_objects import Figure
from reading_pages import check_page, figures_of
from small_costs import RESNET_LAYERS, make_tuning

from crossloom.report import TuningView
from crossloom.report.tuning.figures import draw_tuning
from crossloom.search.tuning import Scores


def test_the_page_is_whole_and_plotly_knows_its_pictures():
    page = TuningView(make_tuning(names=RESNET_LAYERS)).to_html()
    check_page(page)
    figures = figures_of(page)
    assert set(figures) == {"tuning_steps", "tuning_layers", "tuning_worth", "tuning_trajectory"}
    for figure in figures.values():
        Figure(figure)
    assert "a note on tuning" in page


def test_the_steps_lead_from_before_to_after():
    figure = draw_tuning(TuningView(make_tuning()).to_json())["tuning_steps"]
    bars, lines = figure["data"]
    assert bars["x"] == ["before", "integration time", "offset", "after"]
    assert bars["base"] == pytest.approx([0, 60, 68, 0])
    assert bars["y"] == pytest.approx([60, 9, 1, 68])
    assert bars["customdata"] == ["60.0%", "+9.0", "−1.0", "68.0%"]
    assert (lines["x"], lines["y"]) == (["before", "after"], pytest.approx([60, 68]))
    assert lines["error_y"]["array"] == pytest.approx([2.449, 2.332], rel=1e-3)


def test_what_the_knobs_leave_unexplained_is_a_step_of_its_own():
    figure = draw_tuning(TuningView(make_tuning(worth={"offset": 0.05})).to_json())["tuning_steps"]
    assert figure["data"][0]["x"] == ["before", "offset", "the rest", "after"]
    assert figure["data"][0]["y"][2] == pytest.approx(3)


def test_an_axis_that_does_not_begin_at_zero_says_so():
    near = make_tuning(before=Scores(0.90, 0.5, 400), after=Scores(0.91, 0.4, 400), worth={"offset": 0.01})
    axes = [
        draw_tuning(TuningView(t).to_json())["tuning_steps"]["layout"]["yaxis"] for t in (near, make_tuning())
    ]
    assert [axis["range"][0] > 0 for axis in axes] == ["not from 0" in axis["title"]["text"] for axis in axes]
    assert axes[0]["range"][0] > 0


def test_without_labels_the_steps_are_those_of_the_error():
    unlabelled = make_tuning(
        before=Scores(None, 0.5, 400), after=Scores(None, 0.2, 400), worth={"offset": 0.3}
    )
    view = TuningView(unlabelled)
    page = view.to_html()
    check_page(page)
    figure = figures_of(page)["tuning_steps"]
    assert figure["data"][0]["y"] == pytest.approx([0.5, 0.3, 0.2])
    assert "error" in figure["layout"]["yaxis"]["title"]["text"]
    assert "−0.3" in view.summary()
    assert "points" not in view.summary()


def test_every_layer_has_its_errors_its_settings_and_what_each_knob_took_away():
    facts = TuningView(make_tuning(names=RESNET_LAYERS)).to_json()
    assert [row["name"] for row in facts["layers"]] == list(RESNET_LAYERS)
    figures = draw_tuning(facts)
    before, after = figures["tuning_layers"]["data"]
    assert (before["y"][0], after["y"][0]) == (0.6, 0.3)
    assert [trace["name"] for trace in figures["tuning_worth"]["data"]] == ["integration time", "offset"]
    text = TuningView(make_tuning(names=RESNET_LAYERS)).summary()
    assert "63 → 41" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_network_tuned_as_a_whole_has_no_layers_to_show():
    general = make_tuning(layers=(), worth={}, values={"mapping.copies": 2}, trajectory=((1.0, 0.5),))
    view = TuningView(general)
    page = view.to_html()
    check_page(page)
    assert set(figures_of(page)) == {"tuning_steps"}
    assert "mapping.copies = 2" in view.summary()
    assert "mapping.copies" in page


def test_names_are_escaped():
    layer = replace(make_tuning().layers[0], layer="<script>alert(1)</script>")
    assert "<script>alert(" not in TuningView(make_tuning(layers=(layer,))).to_html()
