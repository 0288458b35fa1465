"""A ledger that outlives the process."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crossloom.search.outcome import Point
from crossloom.search.samplers.sampler import Proposal
from crossloom.search.space import Space
from crossloom.search.store.book import Book
from crossloom.search.store.database import Database
from crossloom.search.store.ledger import Ledger, identify
from crossloom.search.store.ownership import OneOfMany, OnlyOne, Ownership
from crossloom.search.store.tables import Statements, to_change, to_point, to_row


class KeptLedger(Ledger):
    """A study in a database. Every method is one transaction, in which first all news of others is read."""

    def __init__(self, database: Database, study: str, space: Space) -> None:
        """SearchError when the database is a file that another process writes."""
        self._database, self._study, self._space = database, study, space
        self._book, self._owner, self._statements = Book(space), uuid.uuid4().hex, Statements(database.tables)
        self._revision, self._seconds = -1, 0.0
        self._right: Ownership | None = OnlyOne(database.path) if database.path else None

    def begin(self) -> None:
        """Read all points, and set free those that dead processes held."""
        if self._right is None:
            self._right = OneOfMany(self._database, self._study, self._owner)
        self.refresh()

    @property
    def points(self) -> Sequence[Point]:
        return self._book.points

    @property
    def seconds(self) -> float:
        return self._seconds

    def claim(self, proposals: Sequence[Proposal]) -> list[Point]:
        with self._database.transaction() as connection:
            revision = self._turn(connection)
            planned = self._book.plan(proposals, "running")
            rows = [self._new_row(point, revision) for point in planned]
            if rows:
                connection.execute(self._statements.insert, rows)
        self._book.enter(planned)
        return [point for point in planned if point.repeats is None]

    def take(self, number: int) -> list[Point]:
        if not self._book.waiting():
            return []
        with self._database.transaction() as connection:
            revision = self._turn(connection)
            taken = [replace(point, state="running") for point in self._book.waiting()[:number]]
            self._write(connection, taken, self._owner, revision)
        self._book.enter(taken)
        return taken

    def finish(self, points: Sequence[Point], seconds: float) -> None:
        with self._database.transaction() as connection:
            self._write(connection, points, None, self._turn(connection, seconds))
        self._book.enter(points)

    def release(self, numbers: Sequence[int]) -> None:
        with self._database.transaction() as connection:
            revision = self._turn(connection)
            free = [replace(self._book.points[number], state="waiting", failure=None) for number in numbers]
            self._write(connection, free, None, revision)
        self._book.enter(free)

    def refresh(self) -> bool:
        """Besides, points of processes that have died meanwhile are set free."""
        assert self._right is not None
        with self._database.transaction() as connection:
            revision = self._turn(connection)
            mine = {"its_study": self._study, "me": self._owner}
            theirs = connection.execute(self._statements.theirs, mine).all()
            dead = self._right.dead(connection, {row.owner for row in theirs})
            free = [replace(to_point(row), state="waiting") for row in theirs if row.owner in dead]
            self._write(connection, free, None, revision)
        self._book.enter(free)
        return len(theirs) > len(free)

    def close(self) -> None:
        if self._right is not None:
            self._right.end()

    def _turn(self, connection: Any, seconds: float = 0.0) -> int:
        """Wait for this process's turn at the study, read the news, and return the revision of what is written next."""
        turn = {"its_study": self._study, "spent": seconds}
        row = connection.execute(self._statements.turn, turn).one()  # holds the study's row until the commit
        if self._revision < row.revision - 1:
            since = {"its_study": self._study, "known": self._revision}
            self._book.enter([to_point(new) for new in connection.execute(self._statements.news, since)])
        self._revision, self._seconds = row.revision, row.seconds
        return row.revision

    def _write(self, connection: Any, points: Sequence[Point], owner: str | None, revision: int) -> None:
        rows = [to_change(point, owner=owner, revision=revision) for point in points]
        if rows:
            connection.execute(self._statements.change, [{"its_study": self._study, **row} for row in rows])

    def _new_row(self, point: Point, revision: int) -> dict[str, Any]:
        is_new = point.repeats is None
        identity = identify(self._space, Proposal(point.values, point.fidelity)) if is_new else None
        owner = self._owner if is_new else None
        return to_row(point, study=self._study, identity=identity, owner=owner, revision=revision)
