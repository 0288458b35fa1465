"""Where the points of a search are kept: in memory, in a SQLite file, or in a server's database."""

from crossloom.search.store.book import Book
from crossloom.search.store.ledger import Ledger, identify
from crossloom.search.store.memory import MemoryLedger
from crossloom.search.store.store import Store, read_study

__all__ = ["Book", "Ledger", "MemoryLedger", "Store", "identify", "read_study"]
