"""What tests read from a page."""

import json
import re
from html.parser import HTMLParser
from typing import Any

_VOID = {"meta", "link", "br", "img"}


class Elements(HTMLParser):
    """Collects elements, and insists that they nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag


def figures_of(page: str) -> dict[str, Any]:
    """The data of the pictures."""
    data = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    return json.loads(data.group(1))


def check_page(page: str) -> None:
    """It nests, loads nothing, and every picture has its data and its place."""
    elements = Elements(page).found
    assert not [1 for _, attributes in elements if attributes.keys() & {"src", "href"}]
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for _, a in elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    holders = [attributes["data-figure"] for _, attributes in elements if "data-figure" in attributes]
    assert sorted(holders) == sorted(figures_of(page))
