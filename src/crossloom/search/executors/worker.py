"""The process that runs points for another; see `processes`."""

import signal
import traceback
from multiprocessing.connection import Connection
from typing import Any

from crossloom.search.executors.evaluation import evaluate, unpack

READY, UNABLE, ANSWER = "ready", "unable", "answer"


def work(connection: Connection, payload: bytes, path: list[str]) -> None:
    """Import the objective, say so, and run points until the other side is gone. Ctrl-C is the other side's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        objective = unpack(payload, tuple(path))
    except BaseException as error:
        connection.send((UNABLE, 0, "".join(traceback.format_exception_only(error)).strip()))
        return
    connection.send((READY, 0, None))
    try:
        while True:
            number, values, fidelity = connection.recv()
            _send(connection, number, evaluate(objective, values, fidelity))
    except (EOFError, OSError):  # nobody waits any longer
        return


def _send(connection: Connection, number: int, answer: tuple[Any, str | None, float]) -> None:
    try:
        connection.send((ANSWER, number, answer))
    except OSError:
        raise
    except Exception as error:  # what cannot be pickled cannot be an outcome either
        failure = f"the objective returned a {type(answer[0]).__name__} that cannot be sent: {error}"
        connection.send((ANSWER, number, (None, failure, answer[2])))
