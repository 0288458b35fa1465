"""A report as one HTML page that opens anywhere, without a network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from crossloom.report.blocks import notes
from crossloom.report.markup import Markup, element, join

_HERE = files("crossloom.report")
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


@dataclass(frozen=True)
class Page:
    """What a page is made of: `about` under its title, figures at a glance, notes, sections, pictures by name."""

    title: str
    about: Markup
    glance: Sequence[Markup]
    notes: Sequence[str]
    sections: Sequence[Markup]
    figures: dict[str, Any]


def render_page(page: Page) -> str:
    """The whole page."""
    from plotly.offline import get_plotlyjs

    body = join([_header(page), notes(page.notes), *page.sections])
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            element("title", page.title),
            f"<style>\n{_HERE.joinpath('style.css').read_text('utf-8')}</style>\n</head>\n<body>",
            element("main", body),
            _data(page.figures),
            f"<script>{get_plotlyjs()}</script>",
            f"<script>\n{_HERE.joinpath('page.js').read_text('utf-8')}</script>\n</body>\n</html>\n",
        ]
    )


def _data(figures: dict[str, Any]) -> str:
    """The figures as JSON that no text in them can end early."""
    text = json.dumps(figures, allow_nan=False, separators=(",", ":"))
    return f'<script type="application/json" id="figures">{text.replace("<", chr(92) + "u003c")}</script>'


def _header(page: Page) -> Markup:
    about = element("p", page.about, class_="about")
    return element("header", element("h1", page.title), about, element("dl", *page.glance))
