"""One call of an objective, as every worker makes it. Standard library only: workers start quickly."""

import inspect
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

Answer = tuple[Any, str | None, float]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_MOST_CHARACTERS = 20_000  # of the beginning and of the end of a traceback


def evaluate(objective: Callable[..., Any], values: Mapping[str, Any], fidelity: float) -> Answer:
    """(What the objective returned, the traceback of what it raised, seconds of the clock)."""
    began = time.perf_counter()
    result = failure = None
    try:
        result = call_objective(objective, dict(values), fidelity=fidelity)
    except (
        Exception,
        SystemExit,
    ) as error:  # an objective that calls sys.exit ends its point, not the search
        inner = error.__traceback__.tb_next if error.__traceback__ else None
        failure = _shorten("".join(traceback.format_exception(type(error), error, inner)))
    return result, failure, time.perf_counter() - began


def call_objective(objective: Callable[..., Any], *arguments: Any, fidelity: float) -> Any:
    """Call it with these arguments, and with the fidelity if it takes one."""
    how = _how_fidelity_is_taken(objective, len(arguments))
    if how == "by name":
        return objective(*arguments, fidelity=fidelity)
    return objective(*arguments, fidelity) if how else objective(*arguments)


def takes_fidelity(objective: Callable[..., Any], num_arguments: int = 1) -> bool:
    """Whether a fidelity reaches the objective, beside so many other arguments."""
    inner = getattr(objective, "takes_fidelity", None)
    return inner if isinstance(inner, bool) else bool(_how_fidelity_is_taken(objective, num_arguments))


def _how_fidelity_is_taken(objective: Callable[..., Any], num_arguments: int) -> str | None:
    """By the name `fidelity`, by the place after the other arguments where that wants a value, or not at all: what has
    another name and a default is a setting."""
    if isinstance(objective, partial) and "fidelity" in objective.keywords:
        return None
    try:
        parameters = inspect.signature(objective).parameters
    except (TypeError, ValueError):  # a built-in function that does not say what it takes
        return "by place"
    kinds = inspect.Parameter
    if "fidelity" in parameters and parameters["fidelity"].kind != kinds.POSITIONAL_ONLY:
        return "by name"
    placed = [
        p for p in parameters.values() if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    rest = [p for p in placed[num_arguments:] if p.default is kinds.empty or p.name == "fidelity"]
    is_open = any(parameter.kind == kinds.VAR_POSITIONAL for parameter in parameters.values())
    return "by place" if rest or is_open else None


def _shorten(text: str) -> str:
    """A traceback that any store takes: its beginning and its end where it is long, and no characters that are none."""
    if len(text) > 2 * _MOST_CHARACTERS:
        left_out = len(text) - 2 * _MOST_CHARACTERS
        text = f"{text[:_MOST_CHARACTERS]}\n... {left_out} characters are left out ...\n{text[-_MOST_CHARACTERS:]}"
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")


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
