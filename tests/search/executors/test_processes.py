"""Workers in processes: they may die, their objective may not be importable, and one thread is theirs."""

import os
import signal
import time
from functools import partial

import pytest

import search_objectives as objectives
from crossloom.errors import SearchError
from crossloom.search import InProcess, Int, Processes, Study, sweep

SPACE = {"n": Int(1, 1000)}
GOALS = {"loss": "minimise"}


def test_a_thousand_points_survive_the_death_of_a_worker(tmp_path):
    """Two workers, SQLite; the one that meets 500 is killed (SIGKILL) in it. Every point ends exactly once."""
    store, log = tmp_path / "store.db", tmp_path / "log"
    objective = objectives.counting(log, victim=500)
    study = sweep(objective, SPACE, GOALS, sampler="grid", workers=2, executor="processes", store=store)
    assert sorted(objectives.events(log, "end")) == list(range(1, 1001))
    assert sorted(objectives.events(log, "begin")) == sorted([*range(1, 1001), 500])
    assert all(point.state == "done" for point in study.points)
    assert [point.outcome.values["loss"] for point in study.points] == [
        (n - 3.0) ** 2 for n in range(1, 1001)
    ]
    assert Study.from_store(store) == study


def test_a_point_that_kills_every_worker_fails_and_the_rest_goes_on():
    study = sweep(objectives.deadly, {"n": Int(1, 4)}, GOALS, sampler="grid", workers=2)
    assert [point.state for point in study.points] == ["done", "failed", "done", "done"]
    assert "3 workers died while they ran this point, the last with exit code -9" in study.points[1].failure


def test_what_cannot_be_sent_back_fails_its_point():
    study = sweep(
        objectives.unsendable, {"n": Int(1, 3)}, GOALS, sampler="grid", workers=1, executor="processes"
    )
    assert [point.state for point in study.points] == ["failed", "done", "done"]
    assert "cannot be sent" in study.points[0].failure


def test_the_death_of_a_worker_is_noticed_although_its_child_lives(tmp_path):
    """The child holds the worker's end of the pipe open for a minute."""
    began = time.monotonic()
    objective = partial(objectives.survived_by_a_child, path=str(tmp_path / "child"))
    study = sweep(objective, {"n": Int(1, 2)}, GOALS, sampler="grid", executor="processes")
    assert [point.state for point in study.points] == ["done"] * 2
    assert time.monotonic() - began < 50.0
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_workers_use_one_thread(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    study = sweep(objectives.threads, {"n": Int(1, 1)}, GOALS, sampler="grid", executor=Processes())
    assert study.best.outcome.values["loss"] == 1


def test_an_objective_without_a_name_of_its_own_is_refused_before_any_work():
    def local(values):
        return 1.0

    for objective in (lambda values: 1.0, local):
        with pytest.raises(SearchError, match=r"cannot import the objective .*top of a module"):
            sweep(objective, SPACE, GOALS, sampler="grid", workers=2)


def test_an_objective_that_workers_do_not_find_is_one_clear_error(monkeypatch):
    def lost(values):
        return 1.0

    lost.__qualname__, lost.__module__ = "lost", "search_objectives"
    monkeypatch.setattr(objectives, "lost", lost, raising=False)
    with pytest.raises(SearchError, match=r"cannot import the objective lost .*AttributeError"):
        sweep(lost, SPACE, GOALS, sampler="grid", workers=1, executor="processes")


@pytest.mark.parametrize(("executor", "workers"), [("in_process", 2), ("processes", 0), (InProcess(), 3)])
def test_a_number_of_workers_that_cannot_be_is_refused(executor, workers):
    with pytest.raises(SearchError, match=r"worker|at a time"):
        sweep(objectives.bowl, {"n": Int(1, 3)}, GOALS, sampler="grid", executor=executor, workers=workers)
