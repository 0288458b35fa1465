"""The tables of a store, the same in a SQLite file and on a server."""

import json
from typing import Any

from crossloom.search.libraries import import_library
from crossloom.search.outcome import Outcome, Point

SCHEMA = 1


class Tables:
    """SQLAlchemy's description of the tables; made when the first store is opened, since it needs the library.

    A study's `revision` grows with every change of its points, and a point carries the revision of its last change:
    so one reads only what is new, and the study's row is what writers on a server take turns by.
    """

    def __init__(self) -> None:
        sql = import_library("sqlalchemy")
        self.metadata = sql.MetaData()
        self.studies = sql.Table(
            "crossloom_studies",
            self.metadata,
            sql.Column("name", sql.String(200), primary_key=True),
            sql.Column("schema", sql.Integer, nullable=False),
            sql.Column("description", sql.Text, nullable=False),
            sql.Column("seconds", sql.Double, nullable=False),
            sql.Column("revision", sql.Integer, nullable=False),
        )
        self.points = sql.Table(
            "crossloom_points",
            self.metadata,
            sql.Column("study", sql.String(200), primary_key=True),
            sql.Column("number", sql.Integer, primary_key=True, autoincrement=False),
            sql.Column("identity", sql.String(64)),  # none for repeats
            sql.Column("knobs", sql.Text, nullable=False),
            sql.Column("fidelity", sql.Double, nullable=False),
            sql.Column("state", sql.String(10), nullable=False),
            sql.Column("outcome", sql.Text),
            sql.Column("failure", sql.Text),
            sql.Column("seconds", sql.Double),
            sql.Column("repeats", sql.Integer),
            sql.Column("owner", sql.String(40)),
            sql.Column("revision", sql.Integer, nullable=False),
            sql.UniqueConstraint("study", "identity"),
            sql.Index("crossloom_points_by_revision", "study", "revision"),
        )
        self.owners = sql.Table(
            "crossloom_owners",
            self.metadata,
            sql.Column("owner", sql.String(40), primary_key=True),
            sql.Column("study", sql.String(200), nullable=False),
            sql.Column("beat", sql.Integer, nullable=False),
        )


class Statements:
    """The statements of a ledger, built once: building one costs more than running it."""

    def __init__(self, tables: Tables) -> None:
        sql = import_library("sqlalchemy")
        bind, studies, points, owners = sql.bindparam, tables.studies.c, tables.points.c, tables.owners.c
        its_study = points.study == bind("its_study")
        self.turn = (
            tables.studies.update()
            .where(studies.name == bind("its_study"))
            .values(revision=studies.revision + 1, seconds=studies.seconds + bind("spent"))
            .returning(studies.revision, studies.seconds)
        )
        self.news = (
            tables.points.select().where(its_study, points.revision > bind("known")).order_by(points.number)
        )
        self.theirs = tables.points.select().where(
            its_study, points.state == "running", points.owner != bind("me")
        )
        changed = ("state", "outcome", "failure", "seconds", "owner", "revision")
        self.change = (
            tables.points.update()
            .where(its_study, points.number == bind("its_number"))
            .values({name: bind(f"new_{name}") for name in changed})
        )
        self.insert = tables.points.insert()
        self.owners = tables.owners.select().where(owners.study == bind("its_study"))
        self.come = tables.owners.insert()
        self.beat = tables.owners.update().where(owners.owner == bind("me")).values(beat=owners.beat + 1)
        self.leave = tables.owners.delete().where(owners.owner == bind("me"))


def to_row(point: Point, **others: Any) -> dict[str, Any]:
    """A point as a row to insert; others: columns that a point does not have."""
    return {
        "number": point.number,
        "knobs": json.dumps(dict(point.values), allow_nan=False),
        "fidelity": point.fidelity,
        "repeats": point.repeats,
        **_result(point),
        **others,
    }


def to_change(point: Point, **others: Any) -> dict[str, Any]:
    """A point as parameters of `Statements.change`."""
    new = {f"new_{name}": value for name, value in {**_result(point), **others}.items()}
    return {"its_number": point.number, **new}


def _result(point: Point) -> dict[str, Any]:
    outcome = point.outcome
    plain = outcome and {"values": dict(outcome.values), "errors": dict(outcome.errors), "cost": outcome.cost}
    return {
        "state": point.state,
        "outcome": None if plain is None else json.dumps(plain, allow_nan=False),
        "failure": point.failure,
        "seconds": point.seconds,
    }


def to_point(row: Any) -> Point:
    """A row as a point."""
    outcome = None if row.outcome is None else Outcome(**json.loads(row.outcome))
    return Point(
        row.number,
        json.loads(row.knobs),
        row.fidelity,
        row.state,
        outcome,
        row.failure,
        row.seconds,
        row.repeats,
    )
