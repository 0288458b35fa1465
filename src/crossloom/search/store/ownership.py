"""Who may run a study's points, and how the death of one who did is noticed."""

import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from crossloom.errors import SearchError
from crossloom.search.store.database import Database
from crossloom.search.store.tables import Statements

BEAT, PATIENCE = 5.0, 30.0


class Ownership(ABC):
    """A process's right to run points."""

    @abstractmethod
    def dead(self, connection: Any, owners: set[str]) -> set[str]:
        """Those of `owners` (of running points, not this process) that are not alive."""

    @abstractmethod
    def end(self) -> None:
        """Give the right back."""


class OnlyOne(Ownership):
    """The right of the one process that writes a file. It holds a lock that the operating system takes back when the
    process ends, however it ends; so whoever holds it knows that all others are dead."""

    def __init__(self, path: Path) -> None:
        """SearchError when another process has it."""
        lock = f"{path}.lock"
        try:
            self._connection = sqlite3.connect(
                lock, timeout=0.0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise SearchError(f"the store's lock {lock} cannot be opened: {error}") from None
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            self._connection.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise SearchError(f"the store's lock {lock} cannot be taken: {error}") from None
            raise SearchError(
                f"another sweep is at work on {path}; wait for it, give it more workers, or use a server's database"
            ) from None

    def dead(self, connection: Any, owners: set[str]) -> set[str]:
        return owners

    def end(self) -> None:
        self._connection.close()


class OneOfMany(Ownership):
    """One of several processes on a server: each counts up a beat of its own every 5 s, and one whose beat has stood
    still for 30 s is dead. Everybody measures that time by their own clock, so clocks need not agree."""

    def __init__(self, database: Database, study: str, owner: str) -> None:
        self._database, self._study, self._me = database, study, {"me": owner}
        self._statements = Statements(database.tables)
        self._beats: dict[str, tuple[int, float]] = {}
        self._is_over = threading.Event()
        with database.transaction() as connection:
            connection.execute(self._statements.come, {"owner": owner, "study": study, "beat": 0})
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def dead(self, connection: Any, owners: set[str]) -> set[str]:
        now = time.monotonic()
        rows = connection.execute(self._statements.owners, {"its_study": self._study})
        beats = {row.owner: row.beat for row in rows}
        for owner, beat in beats.items():
            if self._beats.get(owner, (None,))[0] != beat:
                self._beats[owner] = (beat, now)
        silent = {owner for owner in beats if now - self._beats[owner][1] > PATIENCE}
        return {owner for owner in owners if owner not in beats or owner in silent}

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()
        with self._database.transaction() as connection:
            connection.execute(self._statements.leave, self._me)

    def _beat(self) -> None:
        while not self._is_over.wait(BEAT):
            try:
                with self._database.transaction() as connection:
                    connection.execute(self._statements.beat, self._me)
            except SearchError:  # the server may come back; the search itself says so if not
                continue
