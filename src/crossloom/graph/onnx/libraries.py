"""The ONNX libraries, imported only when a file is read."""

import importlib
from types import ModuleType

from crossloom.errors import MissingDependencyError


def import_library(name: str) -> ModuleType:
    """Import one of the libraries of the extra `onnx`.

    Raises MissingDependencyError if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        message = f"reading ONNX files needs {error.name}; install it with: pip install 'crossloom[onnx]'"
        raise MissingDependencyError(message) from error
