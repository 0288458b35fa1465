"""Stores: what is finished stays, what was held is set free, and another study is refused with nothing lost."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import search_objectives as objectives
from crossloom.errors import SearchError
from crossloom.search import Budget, Choice, Float, Int, Random, Study, sweep

GOALS = {"loss": "minimise"}
N = {"n": Int(1, 40)}
HERE = str(Path(objectives.__file__).parent)


def test_the_same_call_on_the_same_store_runs_nothing_twice(tmp_path):
    store, log = tmp_path / "store.db", tmp_path / "log"
    objective = objectives.counting(log)
    first = sweep(objective, N, GOALS, sampler="random", budget=10, store=store)
    again = sweep(objective, N, GOALS, sampler="random", budget=10, store=store)
    longer = sweep(objective, N, GOALS, sampler="random", budget=25, store=store)
    assert again == first
    assert longer.points[:10] == first.points
    ended = objectives.events(log, "end")
    assert len(ended) == len(set(ended)) == 25


def test_a_search_in_pieces_is_the_search_in_one(tmp_path):
    """Tpe, 24 points, seed 1: stopped after every eighth, and not at all."""
    space = {"x": Float(0.0, 10.0), "c": Choice(["a", "b"])}
    for budget in (8, 16, 24):
        pieces = sweep(
            objectives.bowl, space, GOALS, sampler="tpe", budget=budget, store=tmp_path / "s.db", seed=1
        )
    whole = sweep(objectives.bowl, space, GOALS, sampler="tpe", budget=24, seed=1)
    assert [point.values for point in pieces.points] == [point.values for point in whole.points]


def test_a_killed_sweep_goes_on_without_running_a_finished_point_again(tmp_path):
    """The process is killed (SIGKILL) in the middle of a point; that point alone begins twice."""
    store, log = tmp_path / "store.db", tmp_path / "log"
    code = (
        f"import sys; sys.path.insert(0, {HERE!r})\n"
        "import search_objectives as o\nfrom crossloom.search import Int, sweep\n"
        f"sweep(o.counting({str(log)!r}, victim=20), {{'n': Int(1, 40)}}, {{'loss': 'minimise'}}, sampler='grid', "
        f"store={str(store)!r})\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    held = Study.from_store(store)
    assert [point.state for point in held.points] == ["done"] * 19 + ["running"]
    study = sweep(objectives.counting(log, victim=20), N, GOALS, sampler="grid", store=store)
    assert [point.state for point in study.points] == ["done"] * 40
    assert sorted(objectives.events(log, "end")) == list(range(1, 41))
    assert sorted(objectives.events(log, "begin")) == sorted([*range(1, 41), 20])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"space": {"n": Int(1, 41)}}, "its space differs in n"),
        ({"space": {"n": Int(1, 40), "m": Int(1, 2)}}, "its space differs in m"),
        ({"goals": {"loss": "maximise"}}, "its goals differ in loss"),
        ({"objective": objectives.bowl}, "its objective is counted"),
    ],
)
def test_a_store_of_another_study_is_refused_and_keeps_what_it_holds(tmp_path, change, word):
    store = tmp_path / "store.db"
    call = {"objective": objectives.counting(tmp_path / "log"), "space": N, "goals": GOALS}
    study = sweep(**call, sampler="grid", store=store)
    with pytest.raises(SearchError, match=word) as error:
        sweep(**(call | change), sampler="grid", store=store)
    assert "give this one another name or store" in str(error.value)
    assert Study.from_store(store) == study


def test_a_store_holds_several_studies_by_name(tmp_path):
    store = tmp_path / "store.db"
    one = sweep(
        objectives.bowl, {"x": Float(0, 1)}, GOALS, sampler="random", budget=3, store=store, name="one"
    )
    two = sweep(
        objectives.two_goals, {"x": Float(0, 1)}, {"size": "maximise"}, budget=4, store=store, name="two"
    )
    assert Study.from_store(store, "one") == one
    assert Study.from_store(store, "two") == two
    with pytest.raises(SearchError, match="holds one, two; name one of them"):
        Study.from_store(store)
    with pytest.raises(SearchError, match="no study 'tow'; did you mean two"):
        Study.from_store(store, "tow")


def test_a_file_has_one_writer_and_readers_meanwhile(tmp_path):
    store, seen = tmp_path / "store.db", []

    def nosy(values):
        with pytest.raises(SearchError, match="another sweep is at work"):
            sweep(nosy, N, GOALS, sampler="grid", store=store)
        seen.append(len(Study.from_store(store).points))
        return 1.0

    sweep(nosy, N, GOALS, sampler="grid", budget=3, store=store)
    assert seen == [1, 2, 3]
    assert len(sweep(nosy, N, GOALS, sampler="grid", budget=3, store=store).points) == 3  # the lock is gone


def test_what_is_no_store_is_refused_and_stays_as_it_is(tmp_path):
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("no database at all, but long enough to have a header of its own\n" * 40)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = text.read_bytes(), other.read_bytes()
    for path, word in ((text, "not a database"), (other, "no store of crossloom's")):
        with pytest.raises(SearchError, match=word):
            sweep(objectives.bowl, {"x": Float(0, 1)}, GOALS, budget=2, store=path)
    assert (text.read_bytes(), other.read_bytes()) == before
    with sqlite3.connect(other) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
    connection.close()


@pytest.mark.parametrize(
    ("name", "word"), [("none.db", "there is no store"), ("no/where.db", "there is no store")]
)
def test_a_store_that_is_not_there_is_not_made_by_reading(tmp_path, name, word):
    with pytest.raises(SearchError, match=word):
        Study.from_store(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_store_in_no_folder_is_refused(tmp_path):
    with pytest.raises(SearchError, match="no folder"):
        sweep(objectives.bowl, {"x": Float(0, 1)}, GOALS, budget=2, store=tmp_path / "no" / "where.db")


def test_a_store_or_a_lock_that_cannot_be_opened_is_refused(tmp_path):
    (tmp_path / "s.db.lock").mkdir()
    for place, word in (
        (tmp_path / "s.db", "the store's lock .* cannot be opened"),
        ("nosuch://host/database", "no kind of database"),
        ("nosuch://host:port/database", "no database's URL"),
    ):
        with pytest.raises(SearchError, match=word):
            sweep(objectives.bowl, {"x": Float(0, 1)}, GOALS, budget=2, store=place)


def test_a_full_disk_ends_the_sweep_with_one_error_and_loses_nothing_that_was_finished(tmp_path):
    """No file of the process may grow beyond 100 kB, which some points are too much for."""
    store = tmp_path / "s.db"
    code = (
        f"import resource, sys; sys.path.insert(0, {HERE!r})\n"
        "import search_objectives as o\nfrom crossloom.search import Float, sweep\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"sweep(o.bowl, {{'x': Float(0, 1)}}, {{'loss': 'minimise'}}, sampler='random', budget=999, "
        f"store={str(store)!r})\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "SearchError: the store" in ended.stderr.splitlines()[-1]
    held = Study.from_store(store).points
    again = sweep(objectives.bowl, {"x": Float(0, 1)}, GOALS, sampler="random", budget=len(held), store=store)
    assert all(point.state == "done" for point in again.points)
    assert all(new == old for new, old in zip(again.points, held, strict=True) if old.state == "done")


def test_other_bound_settings_make_another_study(tmp_path):
    def judge(values, config, folder):
        return 1.0

    def objective(bits, folder):
        return partial(judge, config=Budget(points=bits), folder=Path(folder))

    call = {"space": N, "goals": GOALS, "budget": 1, "sampler": "random", "store": tmp_path / "s.db"}
    sweep(objective(4, "a"), **call)
    sweep(objective(4, "a"), **call)
    for other in (objective(5, "a"), objective(4, "b")):
        with pytest.raises(SearchError, match="holds another study"):
            sweep(other, **call)


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    store = tmp_path / "store.db"
    sweep(objectives.bowl, {"x": Float(0, 1)}, GOALS, budget=2, sampler="random", store=store)
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE crossloom_studies SET schema = 99")
    connection.close()
    with pytest.raises(SearchError, match="newer crossloom"):
        Study.from_store(store)


def test_a_study_of_500_points_is_read_in_well_under_a_second(tmp_path):
    space = {f"knob_{i}": Float(0, 1) for i in range(8)}
    sweep(_flat, space, GOALS, sampler=Random(), budget=500, store=tmp_path / "s.db")
    began = time.process_time()
    assert len(Study.from_store(tmp_path / "s.db").points) == 500
    assert time.process_time() - began < 1.0


def _flat(values):
    return sum(values.values())


@pytest.fixture
def server():
    url = os.environ.get("CROSSLOOM_POSTGRES")
    if not url:
        pytest.skip("CROSSLOOM_POSTGRES names no database to try a server with")
    return url


def test_two_sweeps_on_a_server_share_a_study_and_survive_the_death_of_one(server, tmp_path):
    """60 points; one process is killed (SIGKILL) in point 30, and the other runs it once 30 s of silence are over."""
    name, log = f"test-{os.getpid()}-{time.time_ns()}", tmp_path / "log"
    code = (
        f"import sys; sys.path.insert(0, {HERE!r})\n"
        "import search_objectives as o\nfrom crossloom.search import Int, sweep\n"
        f"sweep(o.counting({str(log)!r}, victim=30, seconds=0.02), {{'n': Int(1, 60)}}, {{'loss': 'minimise'}}, "
        f"sampler='grid', store={server!r}, name={name!r})\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    codes = sorted(process.wait(120) for process in both)
    assert codes == [-signal.SIGKILL, 0], [process.stderr.read() for process in both]
    study = Study.from_store(server, name)
    assert [point.state for point in study.points] == ["done"] * 60
    assert sorted(objectives.events(log, "end")) == list(range(1, 61))
    assert sorted(objectives.events(log, "begin")) == sorted([*range(1, 61), 30])
