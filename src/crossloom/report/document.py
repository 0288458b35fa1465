"""What every report can do: be shown on a terminal, and be written as HTML, JSON or text."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossloom.artefacts import atomic_path
from crossloom.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from crossloom.report.html import Page


class Document(ABC):
    """One set of facts, shown three ways."""

    @property
    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """All that is said, as plain data in SI units."""

    @abstractmethod
    def make_page(self) -> "Page":
        """The facts as sections and pictures."""

    @abstractmethod
    def make_text(self) -> "RenderableType":
        """The facts for a terminal."""

    def to_json(self) -> dict[str, Any]:
        """Everything that the page shows, as plain data in SI units."""
        return json.loads(json.dumps(self.facts, allow_nan=False))

    def to_html(self) -> str:
        """One page that needs nothing but itself."""
        from crossloom.report.html import render_page

        return render_page(self.make_page())

    def summary(self) -> str:
        """The report for a terminal of 100 columns, without colours."""
        from crossloom.report.console import as_plain_text

        return as_plain_text(self.make_text())

    def print(self, console: "Console | None" = None) -> None:
        """Show the report on a terminal, standard output unless another is given."""
        from crossloom.report.console import show

        show(self.make_text(), console)

    def save(self, path: str | Path) -> None:
        """Write `.html`, `.json` or `.txt`, atomically. ConfigError for another suffix."""
        text = self._renderer(Path(path))()
        with atomic_path(path) as temporary:
            temporary.write_text(text, "utf-8")

    def _renderer(self, path: Path) -> Callable[[], str]:
        renderers = {".html": self.to_html, ".json": self._to_json_text, ".txt": self.summary}
        if path.suffix.lower() not in renderers:
            raise ConfigError(
                f"need a report called …{', …'.join(renderers)}, got {path.name!r}; the suffix decides what is written"
            )
        return renderers[path.suffix.lower()]

    def _to_json_text(self) -> str:
        return json.dumps(self.facts, allow_nan=False, ensure_ascii=False)
