"""A store: a file or a database that holds studies by name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossloom.errors import SearchError
from crossloom.registry import did_you_mean
from crossloom.search.goals import Goal
from crossloom.search.outcome import Point
from crossloom.search.space import Space
from crossloom.search.store.book import Book
from crossloom.search.store.database import Database
from crossloom.search.store.kept import KeptLedger
from crossloom.search.store.tables import SCHEMA, to_point

Description = dict[str, Any]


class Store:
    """Studies in a SQLite file (made when it is missing) or in a server's database (a URL: postgresql://...).

    A file has one writer at a time, and many readers; a server serves sweeps on many hosts at the same study.
    """

    def __init__(self, place: str | Path) -> None:
        """SearchError when there is a file already that is no store."""
        self._database = Database(place, make=True)

    def open_study(self, name: str, space: Space, goals: Mapping[str, Goal], objective: str) -> KeptLedger:
        """The ledger of a study, new or known. Points that a dead process held wait for somebody again.

        Raises SearchError when the store holds another study by that name, or is another process's.
        """
        wanted = {"space": space.model_dump(mode="json"), "goals": dict(goals), "objective": objective}
        ledger = KeptLedger(self._database, name, space)
        try:
            self._database.race(lambda: self._describe(name, wanted))
            ledger.begin()
        except BaseException:
            ledger.close()
            raise
        return ledger

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def _describe(self, name: str, wanted: Description) -> None:
        """Write down what is searched, or check that it is what was written down."""
        table = self._database.tables.studies
        with self._database.transaction() as connection:
            row = connection.execute(table.select().where(table.c.name == name)).first()
            if row is None:
                new = {"name": name, "schema": SCHEMA, "description": json.dumps(wanted), "seconds": 0.0}
                connection.execute(table.insert().values(**new, revision=0))
                return
        _check_schema(self._database, row)
        known = json.loads(row.description)
        differences = [
            _difference(part, known[part], wanted[part]) for part in wanted if known[part] != wanted[part]
        ]
        if differences:
            raise SearchError(
                f"{self._database.name} holds another study {name!r}: {'; '.join(differences)}; give this one another "
                "name or store"
            )


def read_study(place: str | Path, name: str | None) -> tuple[str, Space, dict[str, Goal], tuple[Point, ...]]:
    """Name, space, goals and points of a study in a store that may be in use. Errors as for `Study.from_store`."""
    database = Database(place, make=False)
    try:
        table, points = database.tables.studies, database.tables.points
        with database.transaction() as connection:
            rows = {row.name: row for row in connection.execute(table.select())}
            row = _choose(database.name, rows, name)
            _check_schema(database, row)
            kept = points.select().where(points.c.study == row.name).order_by(points.c.number)
            found = [to_point(point) for point in connection.execute(kept)]
    finally:
        database.close()
    description = json.loads(row.description)
    space = Space.parse(description["space"])
    book = Book(space)
    book.enter(found)
    return row.name, space, description["goals"], tuple(p for p in book.points if p.repeats is None)


def _choose(store: str, rows: Mapping[str, Any], name: str | None) -> Any:
    if name is None and len(rows) == 1:
        return next(iter(rows.values()))
    if name is None:
        held = ", ".join(sorted(rows)) or "no study"
        raise SearchError(f"{store} holds {held}; " + ("name one of them" if rows else "sweep first"))
    if name not in rows:
        raise SearchError(f"{store} holds no study {name!r}; {did_you_mean(name, list(rows))}")
    return rows[name]


def _check_schema(database: Database, row: Any) -> None:
    if row.schema > SCHEMA:
        raise SearchError(f"{database.name} was written by a newer crossloom; update crossloom")


def _difference(part: str, known: Any, wanted: Any) -> str:
    """What of space, goals or objective is another."""
    if part == "objective":
        return f"its objective is {known}, not {wanted}"
    known, wanted = (known["knobs"], wanted["knobs"]) if part == "space" else (known, wanted)
    names = [name for name in {**known, **wanted} if known.get(name) != wanted.get(name)]
    return f"its {part} differ{'s' if part == 'space' else ''} in {', '.join(names) or 'the order'}"
