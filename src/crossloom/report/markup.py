"""HTML from plain values: whatever is not markup already is escaped."""

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def as_markup(value: object) -> Markup:
    """The value as HTML."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """One element. A trailing underscore of an attribute's name is dropped, others become hyphens.

    >>> element("td", "a < b", class_="number")
    '<td class="number">a &lt; b</td>'
    """
    pairs = (
        (name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items() if value is not None
    )
    written = "".join(f' {name}="{escape(str(value))}"' for name, value in pairs)
    return Markup(f"<{tag}{written}>{''.join(map(as_markup, children))}</{tag}>")


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Several values as one."""
    return Markup(between.join(map(as_markup, parts)))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], class_: str = "") -> Markup:
    """A table in a box that scrolls. A column whose title ends in `|` holds text, the others hold numbers."""
    is_text = [column.endswith("|") for column in columns]
    head = join(
        element("th", column.rstrip("|"), class_=None if text else "number")
        for column, text in zip(columns, is_text, strict=True)
    )
    body = join(
        element(
            "tr",
            *(
                element("td", cell, class_=None if text else "number")
                for cell, text in zip(row, is_text, strict=True)
            ),
        )
        for row in rows
    )
    whole = element("table", element("thead", element("tr", head)), element("tbody", body))
    return element("div", whole, class_=f"scroll {class_}".strip())
