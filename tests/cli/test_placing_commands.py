"""`crossloom replicate`, `crossloom schedule`, and what `crossloom compile` offers for the placement."""

from pathlib import Path

import pytest

from crossloom.cost import schedule
from crossloom.placement import PipelineSchedule, Placement, check_placement, check_schedule

MODEL = "tiny_models:make_net"


def test_a_placement_is_replicated_within_its_budget(crossloom, finished: Path) -> None:
    answer = crossloom("replicate", finished / "placement.xloom", "--macros", 4, "-o", "faster.xloom")
    assert answer.code == 0, answer.err
    assert "checked: legal" in answer.out
    assert "one sample every" in answer.out
    faster = Placement.load("faster.xloom")
    assert check_placement(faster) == ()
    assert len(faster.macros) <= 4


def test_a_schedule_is_drawn_checked_and_saved(crossloom, finished: Path) -> None:
    answer = crossloom("schedule", finished / "placement.xloom", "--samples", 3, "-o", "schedule.xloom")
    assert answer.code == 0, answer.err
    known = schedule(Placement.load(finished / "placement.xloom"), num_samples=3)
    assert known.drawing(100) in answer.out
    assert "checked: legal" in answer.out
    saved = PipelineSchedule.load("schedule.xloom")
    assert saved.operations == known.operations
    assert check_schedule(saved) == ()


def test_a_schedule_that_is_only_looked_at_leaves_no_file(crossloom, finished: Path) -> None:
    assert crossloom("schedule", finished / "placement.xloom").code == 0
    assert not list(Path.cwd().iterdir())


def test_a_system_too_small_is_written_in_rounds_only_when_asked_for(crossloom, refused, tiny: Path) -> None:
    small = {"num_chips": 1, "chip.num_cores": 1, "chip.core.num_macros": 1}
    small |= {f"chip.core.macro.crossbar.{side}": 16 for side in ("num_rows", "num_columns")}
    sets = [text for path, value in small.items() for text in ("--set", f"{path}={value}")]
    command = ("compile", MODEL, "--system", "ideal", *sets, "--data", tiny, "-o", "placement.xloom")
    assert "reprogram" in refused(*command)
    answer = crossloom(*command, "--reprogram")
    assert answer.code == 0, answer.err
    assert "every batch writes" in answer.out
    assert Placement.load("placement.xloom").num_rounds > 1
    assert crossloom("program", "placement.xloom").code == 0
    answer = crossloom("run", "chips.xloom", "--data", tiny, "--limit", 4, "-o", "out")
    assert answer.code == 0, answer.err
    assert "rounds wrote" in answer.out
    assert "rounds" in refused("schedule", "placement.xloom")


def test_the_exact_solver_is_asked_for_by_seconds(crossloom, tiny: Path) -> None:
    pytest.importorskip("ortools.sat.python.cp_model")
    command = ("compile", MODEL, "--system", "tsinghua_c200", "--data", tiny, "-o", "placement.xloom")
    answer = crossloom(*command, "--exact", 0.5)
    assert answer.code == 0, answer.err
    assert Placement.load("placement.xloom").config.exact == 0.5


def test_bad_input_is_one_line_and_leaves_nothing(refused, finished: Path) -> None:
    placement = finished / "placement.xloom"
    assert "there is no such file" in refused("replicate", "absent.xloom")
    assert "num_macros" in refused("replicate", placement, "--macros", 10**6)
    assert "not a Placement" in refused("schedule", finished / "result.xloom")
    assert "no component table is called 'isac'" in refused("schedule", placement, "--table", "isac")
    assert "is a folder" in refused("schedule", placement, "-o", Path.cwd())
