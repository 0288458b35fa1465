import pytest
import torch
from plotly.graph_objects import Figure
from reading_pages import Elements, figures_of
from torch import nn

import crossloom as xl
from crossloom import Report
from crossloom.report.figures import make_figures
from crossloom.report.floor_figure import MAX_MACROS, draw_floor_plan, make_grid


@pytest.fixture(scope="module")
def page(report) -> str:
    return report.to_html()


@pytest.fixture(scope="module")
def elements(page) -> list:
    return Elements(page).found


def test_nothing_is_loaded_from_anywhere(page, elements):
    sources = [
        value for _, attributes in elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert sources == []
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_the_browser_is_told_to_load_nothing(elements):
    policy = next(a["content"] for tag, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_every_picture_has_its_data_and_every_data_its_picture(page, elements):
    holders = {attributes["data-figure"] for _, attributes in elements if "data-figure" in attributes}
    assert holders == set(figures_of(page))
    assert {"waterfall", "floor", "layers", "conductance", "levels", "error", "pulses", "worst"} == holders


def test_plotly_knows_all_that_the_pictures_say(report):
    for figure in make_figures(report.to_json()).values():
        Figure(figure)


def test_axes_carry_units(report):
    figures = make_figures(report.to_json())
    assert "(%)" in figures["waterfall"]["layout"]["yaxis"]["title"]["text"]
    assert "(dB)" in figures["layers"]["layout"]["yaxis"]["title"]["text"]
    for name in ("conductance", "levels", "error"):
        assert "(µS)" in figures[name]["layout"]["xaxis"]["title"]["text"]


def test_notes_stand_before_all_figures(page):
    assert page.index("kept digital by configuration") < page.index("Where the accuracy goes")


def test_every_layer_is_named_in_the_same_colour_everywhere(report, page):
    facts = report.to_json()
    figures = make_figures(facts)
    floor = {trace["name"]: trace["marker"]["color"] for trace in figures["floor"]["data"]}
    ran = [row["name"] for row in facts["layers"] if row["runs"] == "chip"]
    bars = dict(zip(ran, figures["layers"]["data"][0]["marker"]["color"], strict=True))
    for name in ran:
        assert floor[name] == bars[name]
        assert f'background:{bars[name]}"></i><code>{name}</code>' in page


def test_what_users_write_is_escaped(flow):
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module("</script><b>&", nn.Linear(6, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return getattr(self, "</script><b>&")(x)

    system = xl.load_system("tsinghua_c200").replace(
        name="<i>odd</i>", description="a & b <script>alert(2)</script>"
    )
    inputs = torch.randn(4, 6)
    placement = xl.compile(Odd().eval(), system, inputs)
    chips = xl.program(placement, xl.simulate(system))
    report = Report(placement, chips, xl.run(chips, inputs), title="<script>alert(1)</script>")
    page = report.to_html()
    assert "<script>alert(" not in page
    assert "<i>odd</i>" not in page
    tags = [tag for tag, _ in Elements(page).found]
    assert tags.count("script") == 3
    assert "<script>alert(1)</script>" in report.summary()


def test_very_many_macros_are_drawn_in_part(report):
    facts = report.to_json()
    facts["macros"] = [macro | {"chip": chip} for chip in range(200) for macro in facts["macros"][:1]]
    figure = draw_floor_plan(facts)
    assert len(figure["layout"]["annotations"]) == MAX_MACROS


@pytest.mark.parametrize("shape", [(1152, 128), (128, 1152), (256, 256), (256, 512), (1, 4096)])
@pytest.mark.parametrize("number", [1, 5, 24, 64])
def test_boxes_of_a_floor_plan_never_overlap(shape, number):
    grid = make_grid({"num_rows": shape[0], "num_columns": shape[1]}, number)
    whole = {"row": 0, "column": 0, "num_rows": shape[0], "num_columns": shape[1]}
    boxes = [grid.rectangle(box, whole) for box in range(number)]
    for first, (left, top, width, height) in enumerate(boxes):
        for other_left, other_top, other_width, other_height in boxes[:first]:
            is_apart = left >= other_left + other_width or other_left >= left + width
            assert is_apart or top >= other_top + other_height or other_top >= top + height
