"""A cost report on a page, on a terminal and as JSON: the same figures, with their units and ranges."""

from dataclasses import replace

import pytest
from plotly.graph_objects import Figure
from reading_pages import check_page, figures_of
from small_costs import RESNET_LAYERS, make_cost, make_tuning

from crossloom.errors import ConfigError
from crossloom.report import CostView, Report
from crossloom.report.cost.figures import draw_cost


def view_of(**changes) -> CostView:
    return CostView(make_cost(**changes))


def without_figures(figure: dict) -> dict:
    return {key: value for key, value in figure.items() if key != "axes"}


def test_the_page_is_whole_and_plotly_knows_its_pictures():
    view = view_of(names=RESNET_LAYERS)
    page = view.to_html()
    check_page(page)
    figures = figures_of(page)
    wanted = {"cost_components", "cost_energy", "cost_latency", "cost_areas", "cost_pipeline"}
    assert set(figures) == wanted
    for figure in figures.values():
        Figure(figure)


def test_energies_of_the_facts_add_up():
    facts, cost = view_of().to_json(), make_cost()
    whole = pytest.approx(cost.energy)
    assert facts["energy"]["energy"] == whole
    assert sum(row["energy"] for row in facts["layers"]) == whole
    assert sum(row["energy"] for row in facts["components"]) == whole
    assert (facts["energy"]["energy_low"], facts["energy"]["energy_high"]) == pytest.approx(cost.energy_range)
    assert [row["name"] for row in facts["layers"]] == ["first", "second", ""]


def test_a_layers_time_is_from_its_first_action_to_its_last_and_busy_times_may_overlap():
    first = view_of().to_json()["layers"][0]
    assert first["latency"] == pytest.approx(4e-6)
    assert first["busy"] == pytest.approx({"link": 1e-6, "macro": 2e-6, "digital": 2e-6})


def test_two_chips_that_work_at_once_for_a_layer_count_once():
    cost = make_cost(names=("only",))
    doubled = replace(cost, spans=(*cost.spans, *(replace(span, chip=1) for span in cost.spans)))
    (row, _) = CostView(doubled).to_json()["layers"]
    assert row["busy"] == pytest.approx({"link": 1e-6, "macro": 2e-6, "digital": 2e-6})


def test_effective_and_peak_are_those_of_the_artefact():
    facts, cost = view_of().to_json(), make_cost()
    assert facts["rates"]["effective"]["operations_per_joule"] == pytest.approx(cost.operations_per_joule)
    assert facts["rates"]["effective"]["operations_per_area"] == pytest.approx(cost.operations_per_area)
    assert facts["rates"]["peak"]["operations_per_joule"] == pytest.approx(2e12)
    text = view_of().summary()
    assert "2 TOPS/W" in text
    assert "250 GOPS/mm²" in text


def test_the_pipeline_has_a_lane_for_each_chip_and_resource_and_a_bar_for_each_span():
    figure = draw_cost(view_of(names=RESNET_LAYERS).to_json())["cost_pipeline"]
    assert len(figure["layout"]["yaxis"]["ticktext"]) == 8 * 3
    (bars,) = figure["data"]
    assert len(bars["x"]) == 3 * len(RESNET_LAYERS)
    assert max(start + width for start, width in zip(bars["base"], bars["x"], strict=True)) == pytest.approx(
        136
    )
    assert "(µs)" in figure["layout"]["xaxis"]["title"]["text"]


def test_what_all_chips_share_has_a_lane_of_its_own():
    cost = make_cost(names=("only",))
    shared = replace(cost, spans=tuple(replace(span, chip=-1) for span in cost.spans))
    figure = draw_cost(CostView(shared).to_json())["cost_pipeline"]
    assert figure["layout"]["yaxis"]["ticktext"][0] == "all chips · links"


def test_ranges_become_error_bars_and_axes_carry_units():
    figures = draw_cost(view_of().to_json())
    bars = figures["cost_components"]["data"][0]
    assert bars["x"] == pytest.approx([6, 2, 2])  # nJ: converters, then leakage and cells as they came
    assert bars["error_x"]["array"][0] == pytest.approx(4)
    assert bars["error_x"]["arrayminus"][0] == pytest.approx(2)
    assert "(nJ)" in figures["cost_components"]["layout"]["xaxis"]["title"]["text"]
    assert "(nJ)" in figures["cost_energy"]["layout"]["yaxis"]["title"]["text"]
    assert "(µs)" in figures["cost_latency"]["layout"]["yaxis"]["title"]["text"]
    assert "(mm²)" in figures["cost_areas"]["layout"]["xaxis"]["title"]["text"]


def test_the_text_fits_a_hundred_columns_and_says_what_the_page_says():
    text = view_of(names=RESNET_LAYERS).summary()
    assert max(map(len, text.splitlines())) <= 100
    assert "a note on costs" in text
    assert "1,000 pulses, 2 µJ" in text
    assert all(name in text for name in RESNET_LAYERS)


def test_what_is_not_known_is_left_out():
    cost = make_cost(spans=(), areas=(), programming=None, interval=0.0, peak=make_cost().peak)
    view = CostView(cost, "No times")
    page = view.to_html()
    check_page(page)
    assert set(figures_of(page)) == {"cost_components", "cost_energy"}
    assert "inf" not in view.summary()
    assert view.to_json()["rates"]["effective"]["throughput"] is None


def test_names_of_layers_are_escaped():
    page = view_of(names=("<script>alert(1)</script>",)).to_html()
    assert "<script>alert(" not in page


def test_saving_writes_by_suffix_and_refuses_others(tmp_path):
    view = view_of()
    for suffix in ("html", "json", "txt"):
        view.save(tmp_path / f"cost.{suffix}")
        assert (tmp_path / f"cost.{suffix}").stat().st_size > 500
    with pytest.raises(ConfigError, match="suffix decides"):
        view.save(tmp_path / "cost.pdf")


def test_a_run_report_takes_cost_and_tuning_as_further_sections(flow):
    names = [node.name for node in flow.placement.mapped.quantized.graph.matrices]
    report = Report(
        flow.placement,
        flow.chips,
        flow.result,
        flow.labels,
        cost=make_cost(names=names),
        tuning=make_tuning(names=names),
    )
    page = report.to_html()
    check_page(page)
    assert {"waterfall", "floor", "cost_energy", "cost_pipeline", "tuning_steps", "tuning_layers"} <= set(
        figures_of(page)
    )
    assert page.index("a note on costs") < page.index("Where the accuracy goes")
    assert page.index("What every chip does when") < page.index("How this was made")
    text = report.summary()
    assert "energy by component" in text
    assert "+8.0 points" in text
    assert max(map(len, text.splitlines())) <= 100


def test_without_cost_and_tuning_their_sections_are_not_there(report):
    assert report.to_json()["cost"] is None
    assert "What costs energy" not in report.to_html()
