"""`crossloom tune`: tuned chips that run, a report on what it did, and bad input in one line."""

import json
from pathlib import Path

import numpy as np
import pytest

from crossloom.cli.samples import load_tuning
from crossloom.programming import ProgrammedChips

FEW = ("--samples", 16, "--held-out", 16)


@pytest.fixture(scope="session")
def tuned(finished: Path, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tuned.xloom and tuning.json."""
    from crossloom.cli import main

    folder = tmp_path_factory.mktemp("tuned")
    files = ["-o", str(folder / "tuned.xloom"), "--report", str(folder / "tuning.json")]
    assert main(["tune", str(finished / "chips.xloom"), "--data", str(tiny), *map(str, FEW), *files]) == 0
    return folder


def test_tuned_chips_run_and_hold_what_was_found(crossloom, tuned: Path, tiny: Path) -> None:
    answer = crossloom("run", tuned / "tuned.xloom", "--data", tiny, "-o", "net")
    assert answer.code == 0, answer.err
    assert ProgrammedChips.load(tuned / "tuned.xloom").corrections is not None


def test_the_report_says_what_every_layer_gained(tuned: Path) -> None:
    facts = json.loads((tuned / "tuning.json").read_text())
    assert facts["after"]["num_samples"] == 16
    assert facts["after"]["error"] <= facts["before"]["error"]
    assert [row["name"] for row in facts["layers"]] == ["0", "2"]


def test_samples_to_tune_with_come_from_train_and_those_to_judge_by_from_test(tiny: Path) -> None:
    dataset, number = load_tuning(str(tiny), None, 10, 6)
    assert number == 10
    wanted = [
        np.load(tiny / f"{split}.npz")["inputs"][:number] for split, number in (("train", 10), ("test", 6))
    ]
    assert np.array_equal(dataset.inputs.numpy(), np.concatenate(wanted))
    assert dataset.labels is not None
    assert len(dataset.labels) == 16


def test_without_a_train_split_a_note_says_what_is_taken(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, number = load_tuning(str(tiny / "test.npz"), None, 10, 6)
    assert (len(dataset), number) == (16, 10)
    assert "no train split" in capsys.readouterr().err


def test_too_few_samples_are_shared_out_as_was_asked_for(tiny: Path) -> None:
    """A train split of 12 gives 12, though 64 were asked for, and none of the test split is tuned with; a test split of
    20 alone is parted like 30 and 10."""
    with np.load(tiny / "train.npz") as train:
        np.savez("short.npz", **{name: values[:20] for name, values in train.items()})
    dataset, number = load_tuning("short.npz", None, 30, 10)
    assert (len(dataset), number) == (20, 15)
    Path("data").mkdir()
    for split, size in (("train", 12), ("test", 20)):
        with np.load(tiny / f"{split}.npz") as part:
            np.savez(f"data/{split}.npz", **{name: values[:size] for name, values in part.items()})
    dataset, number = load_tuning("data", None, 64, 16)
    assert (len(dataset), number) == (28, 12)


@pytest.mark.slow
def test_two_stages_programs_the_chips_anew(crossloom, finished: Path, tiny: Path) -> None:
    answer = crossloom("tune", finished / "chips.xloom", "--data", tiny, *FEW, "--method", "two_stages")
    assert answer.code == 0, answer.err
    assert "two stages" in answer.out
    assert ProgrammedChips.load("tuned.xloom").placement


def test_bad_input_is_one_line_and_leaves_nothing(refused, finished: Path, tiny: Path) -> None:
    chips = finished / "chips.xloom"
    assert "program it first" in refused("tune", finished / "placement.xloom", "--data", tiny)
    assert "greater than 0" in refused("tune", chips, "--data", tiny, "--time", "0")
    assert "need a time such as" in refused("tune", chips, "--data", tiny, "--time", "soon")
    assert "one_stage" in refused("tune", chips, "--data", tiny, "--method", "one_stage")
    assert "*.html or *.json" in refused("tune", chips, "--data", tiny, "--report", "tuning.pdf")
    assert "there is no such file" in refused("tune", "absent.xloom", "--data", tiny)
    np.savez("wrong.npz", inputs=np.zeros((40, 9), np.float32))
    assert "[batch, 8]" in refused("tune", chips, "--data", "wrong.npz")
