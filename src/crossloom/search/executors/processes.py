"""Points in several processes of this machine, any of which may die."""

import pickle
import sys
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any

from crossloom.errors import SearchError
from crossloom.search.executors.evaluation import one_thread_environment
from crossloom.search.executors.executor import (
    MOST_DEATHS,
    Executor,
    Finished,
    Objective,
    Pool,
    Task,
    gave_up,
    refuse_objective,
)
from crossloom.search.executors.worker import ANSWER, READY, UNABLE, work

_GRACE = 2.0


@dataclass(frozen=True)
class Processes(Executor):
    """Fresh processes (spawned, so that torch's threads and files are none of theirs), one thread each.

    A process that is killed is replaced, and its point is run again; `concurrent.futures` would give up all of them.
    """

    def start(self, objective: Objective, workers: int) -> Pool:
        """A pool of processes. SearchError for an objective that they could not import, or less than one worker."""
        if workers < 1:
            raise SearchError(f"wants at least one worker, got {workers}")
        return _Processes(pack(objective), objective, workers)


def pack(objective: Objective) -> bytes:
    """An objective by its name, for other processes. SearchError when it has none that they could import."""
    try:
        return pickle.dumps(objective)
    except Exception as error:
        raise refuse_objective(objective, error) from None


@dataclass(eq=False)
class _Worker:
    process: Any
    connection: Connection
    task: Task | None = None
    is_ready: bool = field(default=False)


def _is_heard_of(worker: _Worker) -> bool:
    """Whether a worker lives, or has said something that was not read yet."""
    return worker.process.is_alive() or worker.connection.poll()


class _Processes(Pool):
    def __init__(self, payload: bytes, objective: Objective, workers: int) -> None:
        self._payload, self._objective, self._num_workers = payload, objective, workers
        self._workers: list[_Worker] = []
        self._deaths: dict[int, int] = {}
        self._stillborn = 0

    def submit(self, task: Task) -> None:
        worker = next((worker for worker in self._workers if worker.task is None), None)
        if worker is None:
            worker = self._begin()
        worker.task = task
        try:
            worker.connection.send((task.number, dict(task.values), task.fidelity))
        except OSError:  # it died while idle; `wait` finds it, and runs the task elsewhere
            return

    def wait(self, timeout: float) -> list[Finished]:
        ready = wait([worker.connection for worker in self._workers], timeout) if self._workers else []
        found = [self._hear(worker) for worker in list(self._workers) if worker.connection in ready]
        # A worker's own children may hold its end of the pipe open after its death: then nothing is heard of it.
        silent = [worker for worker in self._workers if worker.connection not in ready]
        found += [self._bury(worker) for worker in silent if not _is_heard_of(worker)]
        return [finished for finished in found if finished is not None]

    def close(self) -> None:
        for worker in self._workers:
            worker.connection.close()
            if worker.task is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_GRACE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()

    def _begin(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, self._payload, list(sys.path)))
        with one_thread_environment():
            process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]

    def _hear(self, worker: _Worker) -> Finished | None:
        try:
            kind, number, content = worker.connection.recv()
        except (EOFError, OSError):
            return self._bury(worker)
        except Exception as error:  # an outcome of a class that this process does not have
            number, worker.task = worker.task.number if worker.task else 0, None
            return Finished(number, failure=f"what the objective returned cannot be read: {error}")
        if kind == UNABLE:
            raise refuse_objective(self._objective, content)
        if kind == READY:
            worker.is_ready, self._stillborn = True, 0
            return None
        assert kind == ANSWER
        worker.task = None
        return Finished(number, *content)

    def _bury(self, worker: _Worker) -> Finished | None:
        """Take a dead worker out, and have its task run again."""
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join()
        how = f"with exit code {worker.process.exitcode}"
        if not worker.is_ready:
            self._stillborn += 1
            if self._stillborn >= MOST_DEATHS:
                raise SearchError(
                    f"{MOST_DEATHS} workers died while they started, the last {how}; is memory short?"
                )
        if worker.task is None:
            return None
        number = worker.task.number
        self._deaths[number] = self._deaths.get(number, 0) + worker.is_ready
        if self._deaths[number] >= MOST_DEATHS:
            return gave_up(number, how)
        self.submit(worker.task)
        return None
