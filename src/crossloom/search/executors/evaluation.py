"""One call of an objective, as every worker makes it. Standard library only: workers start quickly."""

import inspect
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

Answer = tuple[Any, str | None, float]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def evaluate(objective: Callable[..., Any], values: Mapping[str, Any], fidelity: float) -> Answer:
    """(What the objective returned, the traceback of what it raised, seconds of the clock)."""
    began = time.perf_counter()
    result = failure = None
    try:
        result = objective(dict(values), fidelity) if takes_fidelity(objective) else objective(dict(values))
    except Exception as error:
        inner = error.__traceback__.tb_next if error.__traceback__ else None
        failure = "".join(traceback.format_exception(type(error), error, inner))
    return result, failure, time.perf_counter() - began


def takes_fidelity(objective: Callable[..., Any]) -> bool:
    """Whether the objective takes a second argument."""
    try:
        parameters = inspect.signature(objective).parameters.values()
    except (TypeError, ValueError):
        return True
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    several = any(parameter.kind == inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    return several or sum(parameter.kind in places for parameter in parameters) > 1


def evaluate_pickled(payload: bytes, path: list[str], values: Mapping[str, Any], fidelity: float) -> Answer:
    """`evaluate` in a worker that lives elsewhere; path: where modules are found at home."""
    return evaluate(unpack(payload, tuple(path)), values, fidelity)


@lru_cache(maxsize=4)
def unpack(payload: bytes, path: tuple[str, ...]) -> Callable[..., Any]:
    """The objective again, imported by its name."""
    sys.path += [place for place in path if place not in sys.path]
    return pickle.loads(payload)


@contextmanager
def one_thread_environment() -> Iterator[None]:
    """While entered, processes that start use one thread each for linear algebra, unless the user says otherwise."""
    added = {name: value for name, value in ONE_THREAD.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
