"""Objectives that worker processes import by name. What they do is counted in a side file, a line per event."""

import os
import signal
import time
from functools import partial
from pathlib import Path


def bowl(values):
    """Least at x = 3."""
    return (values["x"] - 3.0) ** 2


def two_goals(values):
    return {"loss": (values["x"] - 3.0) ** 2, "size": values["x"]}


def counted(values, path, victim=None, seconds=0.0):
    """`bowl`, with a line when it begins and one when it ends. The first worker to meet the victim is killed in it."""
    _note(path, "begin", values["n"])
    _note(path, "threads", os.environ.get("OMP_NUM_THREADS", "0"))
    time.sleep(seconds)
    if values["n"] == victim and not Path(f"{path}.killed").exists():
        Path(f"{path}.killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    _note(path, "end", values["n"])
    return (values["n"] - 3.0) ** 2


def deadly(values):
    """Kills every worker that meets 2."""
    if values["n"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return values["n"]


def survived_by_a_child(values, path):
    """The first worker is killed, and a child of it lives on for a minute."""
    if not Path(path).exists():
        child = os.fork()
        if child == 0:
            time.sleep(60.0)
            os._exit(0)
        Path(path).write_text(str(child))
        os.kill(os.getpid(), signal.SIGKILL)
    return values["n"]


def unsendable(values):
    return {"loss": lambda: None} if values["n"] == 1 else values["n"]


def threads(values):
    return int(os.environ["OMP_NUM_THREADS"])


def counting(path, **settings):
    return partial(counted, path=str(path), **settings)


def events(path, kind):
    """The numbers of a kind of line, in their order."""
    lines = [line.split() for line in Path(path).read_text().splitlines()]
    return [int(number) for word, number in lines if word == kind]


def _note(path, kind, number):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{kind} {number}\n".encode())
    os.close(descriptor)
