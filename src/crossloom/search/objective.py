"""What a store calls an objective."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from crossloom.search.chips import OverChips


def name_objective(objective: Callable[..., Any]) -> str:
    """The function's name with the settings bound to it, since other settings make another objective; without its
    module, which is called `__main__` in one process and something else in the next.

    >>> name_objective(partial(max, 3))
    'max(3)'
    """
    if isinstance(objective, OverChips):
        return f"{name_objective(objective.objective)} over chips {', '.join(map(str, objective.seeds))}"
    if isinstance(objective, partial):
        settings = [_show(value) for value in objective.args]
        settings += [f"{name}={_show(value)}" for name, value in sorted(objective.keywords.items())]
        return f"{name_objective(objective.func)}({', '.join(settings)})"
    return getattr(objective, "__qualname__", type(objective).__qualname__)


def _show(value: Any) -> str:
    """A plain value as it is, data, configurations and paths by a digest, and of anything else its type, since its text
    may differ from process to process."""
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    try:
        text = json.dumps(value, sort_keys=True, default=_as_data)
    except (TypeError, ValueError):
        return type(value).__name__
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _as_data(value: Any) -> Any:
    """What JSON can hold of a configuration or a path. TypeError for anything else."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, BaseModel):
        return [type(value).__name__, value.model_dump(mode="json")]
    raise TypeError(type(value).__name__)
