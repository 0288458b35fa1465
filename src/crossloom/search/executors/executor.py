"""What every executor is: something that starts workers for an objective."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crossloom.errors import SearchError

Objective = Callable[..., Any]
MOST_DEATHS = 3


@dataclass(frozen=True)
class Task:
    """A point to run. number: of the point."""

    number: int
    values: Mapping[str, Any]
    fidelity: float


@dataclass(frozen=True)
class Finished:
    """What came of a task: what the objective returned, or the traceback of what it raised; seconds of the clock."""

    number: int
    result: Any = None
    failure: str | None = None
    seconds: float = 0.0


class Pool(ABC):
    """Workers at work. A task whose worker dies is run again by another, and is given up after the third death."""

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Have a task run; no more at a time than there are workers."""

    @abstractmethod
    def wait(self, timeout: float) -> list[Finished]:
        """All that has finished, once something has or `timeout` seconds are over.

        Raises SearchError when workers cannot be started, or cannot import the objective.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop the workers, also those that run something."""


class Executor(ABC):
    """A way to run an objective."""

    @abstractmethod
    def start(self, objective: Objective, workers: int) -> Pool:
        """A pool of so many workers.

        Raises SearchError, before any work, when this executor cannot serve so many, or not this objective.
        """


def gave_up(number: int, how: str) -> Finished:
    """The end of a task that no worker survived."""
    return Finished(number, failure=f"{MOST_DEATHS} workers died while they ran this point, the last {how}")


def refuse_objective(objective: Objective, why: object) -> SearchError:
    """The error about an objective that workers could not import."""
    name = getattr(objective, "__qualname__", type(objective).__qualname__)
    return SearchError(
        f"workers cannot import the objective {name} ({why}); define it with a name of its own at the top of a module, "
        "and give it settings through its knobs or functools.partial"
    )
