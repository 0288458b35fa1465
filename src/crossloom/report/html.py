"""The report as one HTML page that opens anywhere, without a network."""

import json
from importlib.resources import files
from typing import Any

from crossloom.report.figures import make_figures
from crossloom.report.formats import show_count, show_db, show_share
from crossloom.report.markup import Markup, element, join
from crossloom.report.sections import make_sections

_HERE = files("crossloom.report")
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def render_page(facts: dict[str, Any]) -> str:
    """The whole page."""
    from plotly.offline import get_plotlyjs

    figures = make_figures(facts)
    body = join([_header(facts), _notes(facts["notes"]), *make_sections(facts, figures)])
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            element("title", facts["title"]),
            f"<style>\n{_HERE.joinpath('style.css').read_text('utf-8')}</style>\n</head>\n<body>",
            element("main", body),
            _data(figures),
            f"<script>{get_plotlyjs()}</script>",
            f"<script>\n{_HERE.joinpath('page.js').read_text('utf-8')}</script>\n</body>\n</html>\n",
        ]
    )


def _data(figures: dict[str, Any]) -> str:
    """The figures as JSON that no text in them can end early."""
    text = json.dumps(figures, allow_nan=False, separators=(",", ":"))
    return f'<script type="application/json" id="figures">{text.replace("<", chr(92) + "u003c")}</script>'


def _header(facts: dict[str, Any]) -> Markup:
    system = facts["system"]
    about = element("p", element("b", system["name"]), f": {system['description']}", class_="about")
    return element(
        "header", element("h1", facts["title"]), about, element("dl", *_figures_at_a_glance(facts))
    )


def _figures_at_a_glance(facts: dict[str, Any]) -> list[Markup]:
    model, placed, system = facts["model"], facts["placement"], facts["system"]
    bound = f"area bound {placed['area_bound']}; {show_share(placed['utilization'])} of their cells in use"
    mapped = f"{model['num_mapped']} of them on crossbars"
    return [
        _headline(facts["waterfall"]),
        _fact("layers", show_count(model["num_layers"]), mapped),
        _fact("weights", show_count(model["num_weights"]), f"{show_count(model['num_cells'])} cells"),
        _fact(
            "MACs in memory",
            show_share(facts["coverage"]["share_in_memory"]),
            f"{show_count(facts['coverage']['macs'])} MACs a sample",
        ),
        _fact("macros", f"{placed['num_macros']} of {system['num_macros']}", bound),
        _fact("chips", f"{placed['num_chips']} of {system['num_chips']}", _crossbar(system)),
    ]


def _headline(waterfall: dict[str, Any]) -> Markup:
    first, last = waterfall["stations"][0], waterfall["stations"][-1]
    samples = f"{waterfall['num_samples']:,} samples"
    if waterfall["measure"] == "snr_db":
        ratio = show_db(last["snr_db"], last["snr_db"] is None)
        return _fact("SNR to float", ratio if last["snr_db"] is None else f"{ratio} dB", samples)
    if waterfall["measure"] == "accuracy":
        beside = f"float {show_share(first['accuracy'])}; {samples}"
        return _fact("accuracy on chip", show_share(last["accuracy"]), beside)
    return _fact("same answer as float", show_share(last["agreement"]), samples)


def _crossbar(system: dict[str, Any]) -> str:
    return f"crossbars of {system['num_rows']:,} × {system['num_columns']:,} cells"


def _fact(name: str, figure: str, beside: str) -> Markup:
    return element("div", element("dt", name), element("dd", figure), element("dd", beside, class_="beside"))


def _notes(notes: list[str]) -> Markup:
    if not notes:
        return Markup("")
    items = join(element("li", note) for note in notes)
    return element(
        "section", element("h2", "To know first"), element("ul", items), class_="notes", role="note"
    )
