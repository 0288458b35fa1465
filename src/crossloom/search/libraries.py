"""The search libraries, imported only when they are used."""

import importlib
from types import ModuleType

from crossloom.errors import MissingDependencyError

_EXTRAS = {"ray": "ray"}


def import_library(name: str) -> ModuleType:
    """Import one of the libraries of the extras `search` and `ray`.

    Raises MissingDependencyError if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(name.split(".")[0], "search")
        message = f"this search needs {error.name}; install it with: pip install 'crossloom[{extra}]'"
        raise MissingDependencyError(message) from error
