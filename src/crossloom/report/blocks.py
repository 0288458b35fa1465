"""The blocks that all pages are made of."""

import json
from collections.abc import Iterable, Sequence

from crossloom.report.markup import Markup, as_markup, element, join


def section(title: str, *children: object, explain: str = "") -> Markup:
    """A part of the page under its own heading."""
    text = [element("p", explain, class_="explain")] if explain else []
    return element("section", element("h2", title), *text, *children)


def picture(name: str, caption: str = "") -> Markup:
    """The place of the figure of this name."""
    holder = element("div", data_figure=name, class_="picture")
    return element("figure", *([element("figcaption", caption)] if caption else []), holder)


def details(title: object, content: Markup) -> Markup:
    """Content that is folded away under its title."""
    return element("details", element("summary", title), content)


def fact(name: str, figure: str, beside: str = "") -> Markup:
    """One of the figures at the head of a page."""
    return element("div", element("dt", name), element("dd", figure), element("dd", beside, class_="beside"))


def notes(texts: Sequence[str]) -> Markup:
    """What a reader must know before the figures; nothing when there is nothing."""
    if not texts:
        return Markup("")
    items = join(element("li", text) for text in texts)
    return element(
        "section", element("h2", "To know first"), element("ul", items), class_="notes", role="note"
    )


def swatch(color: str) -> Markup:
    """A small square of a colour."""
    return element("i", class_="swatch", style=f"background:{color}")


def named(name: str, color: str) -> Markup:
    """A name beside its colour."""
    return join([swatch(color), element("code", name)])


def meter(text: str, share: float) -> Markup:
    """A figure with a bar under it."""
    return element("span", text, class_="meter", style=f"--share:{min(max(share, 0), 1):.4f}")


def legend(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Names and their colours."""
    items = [element("span", swatch(color), name) for name, color in pairs]
    return element("div", *items, class_="legend")


def pretty(value: object) -> Markup:
    """Plain data as indented JSON."""
    return as_markup(json.dumps(value, indent=2, ensure_ascii=False))
