"""The same sweep on a real local Ray cluster of two workers."""

import pytest

import search_objectives as objectives
from crossloom.errors import SearchError
from crossloom.search import Int, Ray, Study, sweep

pytest.importorskip("ray", reason="Ray is not installed: pip install 'crossloom[ray]'")

GOALS = {"loss": "minimise"}


def test_nothing_is_lost_or_run_twice_when_a_ray_worker_is_killed(tmp_path, monkeypatch):
    """60 points; the worker that meets 30 is killed (SIGKILL) in it, and 30 alone begins twice."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    store, log = tmp_path / "store.db", tmp_path / "log"
    objective = objectives.counting(log, victim=30, seconds=0.01)
    study = sweep(objective, {"n": Int(1, 60)}, GOALS, sampler="grid", workers=2, executor="ray", store=store)
    assert sorted(objectives.events(log, "end")) == list(range(1, 61))
    assert sorted(objectives.events(log, "begin")) == sorted([*range(1, 61), 30])
    assert [point.outcome.values["loss"] for point in study.points] == [(n - 3.0) ** 2 for n in range(1, 61)]
    assert Study.from_store(store) == study
    assert set(objectives.events(log, "threads")) == {1}


def test_an_objective_without_a_name_of_its_own_is_refused_before_ray_starts():
    with pytest.raises(SearchError, match="cannot import the objective"):
        sweep(lambda values: 1.0, {"n": Int(1, 9)}, GOALS, sampler="grid", workers=2, executor=Ray())
