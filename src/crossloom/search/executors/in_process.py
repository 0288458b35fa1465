"""Points one after the other, in this process."""

from collections import deque
from dataclasses import dataclass

from crossloom.errors import SearchError
from crossloom.search.executors.evaluation import evaluate
from crossloom.search.executors.executor import Executor, Finished, Objective, Pool, Task


@dataclass(frozen=True)
class InProcess(Executor):
    """No workers: the objective may be anything that can be called."""

    def start(self, objective: Objective, workers: int) -> Pool:
        """A pool of one. SearchError for more."""
        if workers != 1:
            raise SearchError(
                f"in_process runs one point at a time, got workers={workers}; use processes or ray"
            )
        return _Queue(objective)


class _Queue(Pool):
    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._tasks: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def wait(self, timeout: float) -> list[Finished]:
        if not self._tasks:
            return []
        task = self._tasks.popleft()
        return [Finished(task.number, *evaluate(self._objective, task.values, task.fidelity))]

    def close(self) -> None:
        self._tasks.clear()
