"""Connections: a SQLite file with a write-ahead log, or whatever a URL names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crossloom.errors import MissingDependencyError, SearchError
from crossloom.search.libraries import import_library
from crossloom.search.store.tables import Tables

_PATIENCE = 30


class Database:
    """One store's database. place: a file, or a URL such as postgresql://user@host/database."""

    def __init__(self, place: str | Path, make: bool) -> None:
        """Open it; with `make`, make what is missing. SearchError when there is nothing, or what is no store."""
        self._sql = import_library("sqlalchemy")
        url = self._parse(str(place)) if "://" in str(place) else None
        self.is_file = url is None or url.get_backend_name() == "sqlite"
        self.path = Path((url.database or "") if url else place) if self.is_file else None
        self.name = (
            str(self.path) if url is None or self.is_file else url.render_as_string(hide_password=True)
        )
        self._check_file(make)
        self.tables = Tables()
        self._engine = self._connect(url)
        self.race(lambda: self._prepare(make))

    def race(self, do: Callable[[], None]) -> None:
        """Do what another host may be doing at this moment: who comes second fails once, and then finds it done."""
        try:
            do()
        except SearchError:
            do()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A connection whose changes all happen or none. SearchError, naming the store, when they cannot."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except self._sql.exc.DBAPIError as error:
            raise SearchError(f"the store {self.name} cannot be used: {error.orig}") from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _parse(self, place: str) -> Any:
        try:
            return self._sql.make_url(place)
        except (self._sql.exc.ArgumentError, ValueError):
            raise SearchError(
                f"{place.split('://')[0]}://... is no database's URL; write postgresql://user@host/database"
            ) from None

    def _check_file(self, make: bool) -> None:
        if self.path is None:
            return
        if not make and not self.path.is_file():
            raise SearchError(f"there is no store {self.path}")
        if not self.path.parent.is_dir():
            raise SearchError(f"there is no folder {self.path.parent} for the store; make it first")

    def _is_new(self) -> bool:
        return self.path is not None and (not self.path.exists() or self.path.stat().st_size == 0)

    def _connect(self, url: Any) -> Any:
        if not self.is_file:
            try:
                return self._sql.create_engine(url, pool_pre_ping=True)
            except self._sql.exc.NoSuchModuleError:
                raise SearchError(
                    f"there is no kind of database for {self.name}; give a file, or postgresql://user@host/database"
                ) from None
            except ModuleNotFoundError as error:
                raise MissingDependencyError(
                    f"the store {self.name} needs {error.name}; install it with: pip install {error.name}"
                ) from None
        engine = self._sql.create_engine(
            self._sql.URL.create("sqlite", database=str(self.path)), connect_args={"timeout": _PATIENCE}
        )
        self._sql.event.listen(engine, "connect", _set_up)
        return engine

    def _prepare(self, make: bool) -> None:
        """Make the tables, but not in somebody else's file."""
        if self._is_new():
            with self.transaction() as connection:  # the file remembers it
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        with self.transaction() as connection:
            known = set(self._sql.inspect(connection).get_table_names())
            ours = set(self.tables.metadata.tables)
            if ours <= known:
                return
            if not make or (self.is_file and known):
                raise SearchError(f"{self.name} is no store of crossloom's; name another one")
            self.tables.metadata.create_all(connection)


def _set_up(connection: Any, _: Any) -> None:
    """With a write-ahead log and synchronous=NORMAL a commit survives the death of the process at a tenth of the
    cost; a power cut may take the last ones, never the file (sqlite.org/pragma.html#pragma_synchronous)."""
    connection.execute("PRAGMA synchronous=NORMAL")
