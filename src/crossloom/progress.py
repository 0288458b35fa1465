"""Progress on a terminal for whatever takes longer than two seconds, and silence everywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

T = TypeVar("T")
_PATIENCE = 2.0


def track(
    items: Iterable[T], label: str | Callable[[], str], total: int | None = None
) -> Generator[T, None, None]:
    """Pass `items` through; once two seconds have gone by, show on a terminal how far they have come.

    A label that changes is a function that gives it.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    total = len(items) if total is None and hasattr(items, "__len__") else total  # type: ignore[arg-type]
    yield from _tracked(items, label, total)


def _tracked(
    items: Iterable[T], label: str | Callable[[], str], total: int | None
) -> Generator[T, None, None]:
    bar, began = None, time.monotonic()
    try:
        for done, item in enumerate(items):
            if bar is None and time.monotonic() - began > _PATIENCE:
                bar = _start_bar()
                task = bar.add_task("", total=total)
            if bar is not None:
                bar.update(task, completed=done, description=label() if callable(label) else label)
            yield item
    finally:
        if bar is not None:
            bar.stop()


def _start_bar():
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.start()
    return bar
