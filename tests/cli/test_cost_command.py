"""`crossloom cost`: before a run from the placement, after it from the run's counts; bad input in one line."""

import json
from pathlib import Path

import pytest

from crossloom.cost import CostReport, account, estimate, load_table
from crossloom.placement import Placement
from crossloom.programming import ProgrammedChips
from crossloom.runtime import RunResult


def test_a_placement_and_its_chips_are_estimated_alike(crossloom, finished: Path) -> None:
    for source in ("placement", "chips"):
        answer = crossloom("cost", finished / f"{source}.xloom", "-o", f"{source}.xloom")
        assert answer.code == 0, answer.err
        assert "estimated from the placement" in answer.out
    reports = [CostReport.load(f"{source}.xloom") for source in ("placement", "chips")]
    assert reports[0] == reports[1] == estimate(Placement.load(finished / "placement.xloom"))


def test_a_result_is_accounted_for(crossloom, finished: Path) -> None:
    files = (finished / "chips.xloom", "--result", finished / "result.xloom")
    answer = crossloom("cost", *files, "-o", "cost.json")
    assert answer.code == 0, answer.err
    assert "accounted over 32 samples" in answer.out
    cost = account(ProgrammedChips.load(files[0]), RunResult.load(files[2]))
    assert json.loads(Path("cost.json").read_text())["energy"]["energy"] == pytest.approx(cost.energy)


def test_a_table_by_name_or_file_takes_the_place_of_the_systems(crossloom, finished: Path) -> None:
    answer = crossloom("cost", finished / "placement.xloom", "--table", "isaac", "-o", "isaac.xloom")
    assert answer.code == 0, answer.err
    assert CostReport.load("isaac.xloom").table == "isaac"
    assert load_table("isaac").name == "isaac"


def test_the_page_is_written(crossloom, finished: Path) -> None:
    answer = crossloom("cost", finished / "placement.xloom")
    assert answer.code == 0, answer.err
    assert answer.out.endswith("cost: cost.html\n")
    assert "What every chip does when" in Path("cost.html").read_text()


def test_the_figures_saved_can_be_shown(crossloom, finished: Path) -> None:
    assert crossloom("cost", finished / "placement.xloom", "-o", "cost.xloom").code == 0
    answer = crossloom("show", "cost.xloom")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("cost.xloom: CostReport")


def test_bad_input_is_one_line_and_leaves_nothing(refused, finished: Path) -> None:
    placement, result = finished / "placement.xloom", finished / "result.xloom"
    assert "--result needs the chips" in refused("cost", placement, "--result", result)
    assert "wanted a Placement or ProgrammedChips" in refused("cost", result)
    assert "no component table is called 'isac'; did you mean isaac" in refused(
        "cost", placement, "--table", "isac"
    )
    assert "there is no file mine.toml" in refused("cost", placement, "--table", "mine.toml")
    assert "*.html or *.json" in refused("cost", placement, "-o", "cost.pdf")
    assert "there is no such file" in refused("cost", "absent.xloom")


def test_a_result_of_other_chips_is_refused(crossloom, refused, tiny: Path, finished: Path) -> None:
    made = crossloom(
        "run", "tiny_models:make_wide", "--system", "ideal", "--data", tiny, "--mode", "chip", "-o", "wide"
    )
    assert made.code == 0, made.err
    files = (finished / "chips.xloom", "--result", "wide/result.xloom")
    assert "give the result of these chips" in refused("cost", *files)
