"""Schedules of samples that follow one another: legal, as fast as the busiest resource, drawn and replayed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.errors import CapacityError, ConfigError
from crossloom.placement import PipelineSchedule, check_schedule, schedule_pipeline
from crossloom.placement.pipelining.timetable import Timetable
from placed_cases import chain_placement, small_system, times_of, token_placement

BUFFER = "chip.core.buffer.capacity"


@settings(max_examples=25, deadline=None)
@given(
    replicas=st.integers(1, 4),
    num_samples=st.integers(1, 6),
    bit=st.sampled_from([0.0, 1e-9, 2e-8]),
    capacity=st.sampled_from([None, 250.0, 600.0, 1e5]),
    digital=st.sampled_from([0.0, 5e-7, 2e-5]),
)
def test_every_schedule_is_legal(replicas, num_samples, bit, capacity, digital):
    overrides = {} if capacity is None else {BUFFER: capacity}
    placement = token_placement(small_system(8, **overrides), replicas={"first": replicas})
    times = times_of(placement, bit=bit, digital={"first": digital, "second": digital, "": 1e-7})
    schedule = schedule_pipeline(placement, times, num_samples)
    assert check_schedule(schedule) == ()
    assert schedule.makespan >= (num_samples - 1) * schedule.interval
    assert schedule.interval * num_samples == pytest.approx(max(schedule.busy.values()))


def test_samples_follow_one_another_at_the_pace_of_the_busiest():
    """With nothing but macros that take time, every sample after the first costs one interval."""
    placement = chain_placement()
    schedule = schedule_pipeline(placement, times_of(placement, digital={}, bit=0.0), 6)
    one = schedule_pipeline(placement, times_of(placement, digital={}, bit=0.0))
    assert schedule.makespan == pytest.approx(one.latency + 5 * schedule.interval)
    assert schedule.makespan < 6 * one.latency


def test_a_small_buffer_cuts_vectors_into_portions_and_one_too_small_is_refused():
    """A vector of `first` has 4 inputs of 4 bits and 6 sums of 32: 208 bits."""
    whole = token_placement(small_system(8, **{BUFFER: 6 * 208.0 * 2}))
    tight = token_placement(small_system(8, **{BUFFER: 2 * 208.0}))
    portions = [
        {found.portion for found in schedule_pipeline(p, times_of(p)).operations if found.layer == "first"}
        - {None}
        for p in (whole, tight)
    ]
    assert len(portions[0]) == 1
    assert len(portions[1]) == 6
    tiny = token_placement(small_system(8, **{BUFFER: 200.0}))
    with pytest.raises(CapacityError, match="does not hold one vector of first"):
        schedule_pipeline(tiny, times_of(tiny))


def test_tiles_on_one_macro_take_turns():
    """All of `first` and `second` on one macro: their MVMs one after another, sample by sample."""
    placement = token_placement(small_system(1))
    assert len(placement.sites) == 2
    schedule = schedule_pipeline(placement, times_of(placement, digital={}, bit=0.0), 3)
    assert schedule.interval == pytest.approx(2 * 6 * 1e-6)
    assert check_schedule(schedule) == ()


def test_a_replay_ends_what_it_began():
    placement = token_placement(replicas={"first": 2})
    schedule = schedule_pipeline(placement, times_of(placement), 3)
    running: set[int] = set()
    at = 0.0
    for time, begins, operation in schedule.replay():
        assert time >= at
        at = time
        if begins:
            assert time == operation.start
            running.add(id(operation))
        else:
            assert time == operation.stop
            running.remove(id(operation))
    assert not running
    assert at == schedule.makespan


def test_a_drawing_has_a_line_for_every_resource_and_a_symbol_for_every_sample():
    placement = token_placement()
    schedule = schedule_pipeline(placement, times_of(placement), 3)
    lines = schedule.drawing(width=90).splitlines()
    assert len(lines) == len(schedule.busy) + 1
    assert all(len(line) <= 90 for line in lines)
    macro = next(line for line in lines if "macro 0" in line)
    assert set("012") <= set(macro.split("macro 0")[1])
    assert "more that work less" in schedule.drawing(most=1)
    idle = schedule_pipeline(placement, times_of(placement, mvm=0.0, bit=0.0, digital={}))
    assert idle.drawing() == "nothing takes any time"
    assert "one sample every" in schedule.summary()


def test_a_schedule_is_saved_and_loaded(tmp_path):
    placement = token_placement()
    schedule = schedule_pipeline(placement, times_of(placement), 2)
    schedule.save(tmp_path / "schedule")
    loaded = PipelineSchedule.load(tmp_path / "schedule")
    assert loaded.operations == schedule.operations
    assert check_schedule(loaded) == ()


def test_no_samples_are_refused():
    placement = token_placement()
    with pytest.raises(ConfigError, match="num_samples"):
        schedule_pipeline(placement, times_of(placement), 0)


def test_a_resource_takes_the_first_gap_that_is_long_enough():
    table = Timetable()
    assert table.take("a", 0.0, 2.0) == (0.0, 2.0)
    assert table.take("a", 5.0, 2.0) == (5.0, 7.0)
    mark = table.mark
    assert table.take("a", 1.0, 4.0) == (7.0, 11.0)
    table.undo(mark)
    assert table.take("a", 1.0, 3.0) == (2.0, 5.0)
    assert table.take("a", 0.0, 1.0) == (7.0, 8.0)
    assert table.busy["a"] == 8.0
    assert table.take("a", 3.0, 0.0) == (3.0, 3.0)
