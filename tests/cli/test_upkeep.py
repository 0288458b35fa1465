"""Chips are calibrated and aged from the command line."""

from pathlib import Path

import pytest
import torch

from crossloom.programming import ProgrammedChips

MODEL = "tiny_models:make_net"


@pytest.fixture
def chips(crossloom, tiny: Path) -> str:
    compiled = crossloom("compile", MODEL, "--system", "tsinghua_c200", "--data", tiny)
    assert compiled.code == 0
    assert crossloom("program", "placement.xloom").code == 0
    return "chips.xloom"


def test_calibrated_chips_run_like_others(crossloom, tiny: Path, chips: str) -> None:
    answer = crossloom("calibrate", chips, "--data", tiny, "--drift", "layer", "--samples", 32)
    assert answer.code == 0
    assert "before" in answer.out
    assert ProgrammedChips.load("calibrated.xloom").corrections is not None
    assert crossloom("run", "calibrated.xloom", "--data", tiny, "-o", "out").code == 0


def test_aged_chips_know_their_age(crossloom, chips: str) -> None:
    assert crossloom("advance", chips, "30d").code == 0
    aged = ProgrammedChips.load("aged.xloom")
    assert aged.elapsed == 30 * 86400
    before = ProgrammedChips.load(chips)
    assert torch.equal(aged.report.tiles[0].error, before.report.tiles[0].error)


@pytest.mark.parametrize("time", ["tomorrow", "-3", "3 weeks", "1e999"])
def test_times_that_cannot_pass_are_refused(crossloom, chips: str, time: str) -> None:
    answer = crossloom("advance", chips, "--", time)
    assert answer.code == 2
    assert "need" in answer.err
