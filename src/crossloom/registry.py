"""Names for objects: how a string at the edge (TOML, a file, the command line) becomes a thing."""

from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from crossloom.errors import ConfigError

T = TypeVar("T")


def did_you_mean(name: str, known: list[str]) -> str:
    """The end of an error about an unknown name: the nearest known ones, else all of them."""
    near = get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"


class Registry(Generic[T]):
    """A table of named objects. Packages installed beside crossloom add to it by an entry point.

    >>> shapes = Registry("shape")
    >>> shapes.register("square", 4)
    4
    >>> shapes["square"]
    4
    """

    def __init__(self, noun: str, entry_point_group: str | None = None) -> None:
        self._noun = noun
        self._group = entry_point_group
        self._known: dict[str, T] = {}

    def register(self, name: str, thing: T) -> T:
        """Give `thing` a name; ConfigError when the name is another's."""
        if self._known.get(name, thing) is not thing:
            raise ConfigError(f"the {self._noun} {name!r} is registered already; choose another name")
        self._known[name] = thing
        return thing

    def decorate(self, name: str) -> Callable[[T], T]:
        """`register`, written above a definition."""
        return lambda thing: self.register(name, thing)

    def __getitem__(self, name: str) -> T:
        if name not in self._known and self._group:
            for point in entry_points(group=self._group, name=name):
                self.register(name, point.load())
        if name not in self._known:
            raise ConfigError(f"no {self._noun} is called {name!r}; {did_you_mean(name, self.names())}")
        return self._known[name]

    def names(self) -> list[str]:
        """All names known so far, entry points included."""
        shipped = {point.name for point in entry_points(group=self._group)} if self._group else set()
        return sorted(shipped | set(self._known))
