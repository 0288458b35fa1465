"""Points on a Ray cluster."""

import sys
from dataclasses import dataclass
from typing import Any

from crossloom.errors import SearchError
from crossloom.search.executors.evaluation import evaluate_pickled
from crossloom.search.executors.executor import (
    MOST_DEATHS,
    Executor,
    Finished,
    Objective,
    Pool,
    Task,
    gave_up,
)
from crossloom.search.executors.processes import pack
from crossloom.search.libraries import import_library

_STORE = 100 * 1024**2


@dataclass(frozen=True)
class Ray(Executor):
    """Tasks of a Ray cluster, one CPU and one thread each. Ray that runs in this process already is used as it is.

    address: of a cluster ("auto" for the one that this machine belongs to, or ray://host:10001); None starts a local
    one that ends with the sweep. crossloom and the objective's module must be installed on all its machines.
    """

    address: str | None = None

    def start(self, objective: Objective, workers: int) -> Pool:
        """A pool of tasks. Raises MissingDependencyError without Ray, SearchError without a cluster to use, or for an
        objective that workers could not import."""
        if workers < 1:
            raise SearchError(f"wants at least one worker, got {workers}")
        payload, ray = pack(objective), import_library("ray")
        is_ours = not ray.is_initialized()
        if is_ours:
            _connect(ray, self.address, workers)
        return _Tasks(ray, payload, is_ours)


def _connect(ray: Any, address: str | None, workers: int) -> None:
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        ray.init(num_cpus=workers, object_store_memory=_STORE, **quiet)
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SearchError(
            f"there is no Ray cluster at {address!r} ({error}); start one with: ray start --head"
        ) from None


class _Tasks(Pool):
    def __init__(self, ray: Any, payload: bytes, is_ours: bool) -> None:
        options = {
            "num_cpus": 1,
            "max_retries": 0,
        }  # with one CPU Ray gives a task one thread (OMP_NUM_THREADS)
        self._ray, self._is_ours = ray, is_ours
        self._evaluate = ray.remote(**options)(evaluate_pickled)
        self._payload, self._path = ray.put(payload), list(sys.path)
        self._tasks: dict[Any, Task] = {}
        self._deaths: dict[int, int] = {}

    def submit(self, task: Task) -> None:
        reference = self._evaluate.remote(self._payload, self._path, dict(task.values), task.fidelity)
        self._tasks[reference] = task

    def wait(self, timeout: float) -> list[Finished]:
        if not self._tasks:
            return []
        ready, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=timeout)
        if len(self._tasks) > 1:
            ready, _ = self._ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=0)
        found = [self._collect(reference) for reference in ready]
        return [finished for finished in found if finished is not None]

    def close(self) -> None:
        for reference in self._tasks:
            self._ray.cancel(reference, force=True)
        self._tasks.clear()
        if self._is_ours:
            self._ray.shutdown()

    def _collect(self, reference: Any) -> Finished | None:
        task = self._tasks.pop(reference)
        errors = self._ray.exceptions
        try:
            return Finished(task.number, *self._ray.get(reference))
        except errors.RayTaskError as error:  # not from the objective: its module is missing there
            raise SearchError(f"a Ray worker cannot import the objective: {error.cause}") from None
        except errors.RayError as error:  # the worker or its machine died
            self._deaths[task.number] = self._deaths.get(task.number, 0) + 1
            if self._deaths[task.number] >= MOST_DEATHS:
                return gave_up(task.number, f"of {type(error).__name__}")
            self.submit(task)
            return None
