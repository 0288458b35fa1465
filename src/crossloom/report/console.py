"""What the reports have in common on a terminal."""

from collections.abc import Sequence
from io import StringIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

_BAR_WIDTH = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"


def show(text: RenderableType, console: Console | None = None) -> None:
    """Show a report on a terminal, standard output unless another is given."""
    (console or Console()).print(text)


def as_plain_text(text: RenderableType, width: int = 100) -> str:
    """The same without colours, `width` columns wide."""
    console = Console(file=StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(text)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def stack(parts: Sequence[RenderableType | None]) -> Group:
    """The parts that are there, one above the other with a line between."""
    return Group(*(line for part in parts if part is not None for line in (part, Text(""))))


def make_notes(notes: Sequence[str]) -> RenderableType | None:
    """What is to be known first; None when there is nothing."""
    if not notes:
        return None
    table = Table.grid(padding=(0, 1))
    for note in notes:
        table.add_row(Text("!", "bold yellow"), Text(note, "yellow"))
    return table


def make_table(first: str, titles: Sequence[str] = ()) -> Table:
    """A table whose first column holds names, the others numbers."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column(first, no_wrap=True)
    add_columns(table, titles)
    return table


def add_columns(table: Table, titles: Sequence[str]) -> None:
    """More columns of numbers."""
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)


def make_pairs(pairs: Sequence[tuple[str, str]]) -> Table:
    """Names and what is said of them."""
    table = Table.grid(padding=(0, 2))
    for name, text in pairs:
        table.add_row(Text(name, "bold"), Text(text))
    return table


def draw_bar(share: float, width: int = _BAR_WIDTH) -> str:
    """A bar of eighths of a character."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
