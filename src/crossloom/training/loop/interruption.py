"""Ctrl-C that does not cut through what must be whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self


class Interruption:
    """While entered, Ctrl-C waits for the end of every `held` block, and raises KeyboardInterrupt there.

    A second one within the same block does not wait. Outside such blocks it comes at once, as ever. Only the main
    thread gets signals, and a handler that somebody else has set stays.
    """

    def __init__(self) -> None:
        self._is_held = self._is_due = self._is_ours = False

    def __enter__(self) -> Self:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
            self._is_ours = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block that is not to be cut in two."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held, is_due, self._is_due = False, self._is_due, False
        if is_due:
            raise KeyboardInterrupt

    def _handle(self, *_: Any) -> None:
        if not self._is_held or self._is_due:
            raise KeyboardInterrupt
        self._is_due = True
