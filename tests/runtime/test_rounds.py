"""Chips that are too small for all tiles: every batch writes them round by round, and says what that took."""

import pytest
import torch

import crossloom as xl
from crossloom.errors import BackendError
from crossloom.programming import plan_programming

NUM_CHIPS = 2


def small(num_chips: int, **changes) -> xl.SystemSpec:
    return xl.load_system(
        "tsinghua_c200",
        {
            "num_chips": num_chips,
            "chip.core.macro.crossbar.num_rows": 64,
            "chip.core.macro.crossbar.num_columns": 32,
            **changes,
        },
    )


def compiled(system: xl.SystemSpec) -> xl.MappedGraph:
    """Convolutions and a linear layer whose tiles share outputs, on macros of 64 x 32 cells."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 40, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(40, 8, 3, stride=2),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 9, 5),
    ).eval()
    return xl.compile(model, system, data=torch.randn(16, 3, 8, 8)).mapped


@pytest.fixture(scope="module")
def mapped() -> xl.MappedGraph:
    return compiled(small(64))


def placed(mapped: xl.MappedGraph, system: xl.SystemSpec) -> xl.Placement:
    return xl.place(mapped, xl.PlacementConfig(reprogram=True), system)


@pytest.fixture(scope="module")
def chips(mapped) -> xl.ProgrammedChips:
    placement = placed(mapped, small(NUM_CHIPS))
    return xl.program(placement, xl.simulate(placement.system, seed=2))


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_ideal_chips_answer_as_those_that_hold_everything(inputs):
    answers, mapped = [], compiled(small(64).noiseless())
    for num_chips in (NUM_CHIPS, 64):
        system = small(num_chips).noiseless()
        chips = xl.program(placed(mapped, system), xl.simulate(system))
        answers.append(xl.run(chips, inputs, batch_size=4).outputs)
    assert torch.equal(*answers)


def test_every_batch_writes_every_round(chips, inputs):
    placement = chips.placement
    assert placement.num_rounds > 2
    once, twice = (xl.run(chips, inputs, batch_size=size, probe_samples=0) for size in (6, 3))
    assert once.rewritten.num_rounds == placement.num_rounds
    assert once.rewritten.num_cells == placement.mapped.num_cells
    assert twice.rewritten.num_cells == 2 * placement.mapped.num_cells
    assert twice.rewritten.num_pulses > 1.5 * once.rewritten.num_pulses > 0
    assert any("rounds" in note for note in once.notes)
    assert once.counts == twice.counts
    assert xl.run(chips, inputs, mode="float").rewritten is None


def test_every_writing_has_errors_of_its_own_and_runs_are_repeatable(chips, inputs):
    same = inputs[:1].expand(2, -1, -1, -1)
    first, second = (xl.run(chips, same, batch_size=1, probe_samples=0).outputs for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_chips_that_hold_everything_are_as_good(mapped, chips, inputs):
    """Writing again and again costs pulses, not accuracy."""
    exact = xl.run(chips, inputs, mode="integer", probe_samples=0).outputs
    large = xl.program(placed(mapped, small(64)), xl.simulate(small(64), seed=2))
    errors = [
        (xl.run(each, inputs, probe_samples=0).outputs - exact).square().mean().sqrt().item()
        for each in (chips, large)
    ]
    assert errors[0] < 2 * errors[1]
    assert xl.run(large, inputs, probe_samples=0).rewritten is None


def test_programming_reports_every_tile(chips):
    placement = chips.placement
    assert sorted(tile.tile for tile in chips.report.totals) == list(range(len(placement.sites)))
    assert chips.report.num_cells == placement.mapped.num_cells
    assert len(plan_programming(placement).tiles) == len(placement.sites)


def test_costs_and_reports_know_such_chips(chips, inputs, tmp_path):
    result = xl.run(chips, inputs)
    assert len(result.quality) == len(chips.placement.mapped.schemes)
    assert xl.account(chips, result).energy > 0
    xl.Report(chips.placement, chips, result).save(tmp_path / "report.html")
    assert "rounds wrote" in (tmp_path / "report.html").read_text()


def test_saved_chips_answer_alike(chips, inputs, tmp_path):
    chips.save(tmp_path / "chips.xloom")
    loaded = xl.ProgrammedChips.load(tmp_path / "chips.xloom")
    wanted, found = (xl.run(each, inputs, probe_samples=0) for each in (chips, loaded))
    assert torch.equal(wanted.outputs, found.outputs)
    assert found.rewritten == wanted.rewritten
    found.save(tmp_path / "result.xloom")
    assert xl.RunResult.load(tmp_path / "result.xloom").rewritten == wanted.rewritten


def test_noise_of_reads_alone_can_be_left_out(chips, inputs):
    told = xl.waterfall(chips, xl.run(chips, inputs), torch.zeros(6, dtype=torch.long))
    assert told.summary()


def test_what_needs_cells_that_stay_is_refused(chips, inputs):
    for name, needs_them in {
        "calibrate": lambda: xl.calibrate(chips, inputs),
        "tune": lambda: xl.tune(chips, inputs),
        "advance": lambda: xl.advance(chips, 1.0),
    }.items():
        with pytest.raises(xl.ProgramError, match=f"{name}: .*use a larger system"):
            needs_them()
    with pytest.raises(xl.ProgramError, match="leave out memory"):
        xl.program(chips.placement, xl.simulate(chips.placement.system), memory="1 GiB")
    plan = plan_programming(chips.placement).tiles[0]
    with pytest.raises(BackendError, match="not cell by cell"):
        chips.backend.pulse(plan.address, plan.region, plan.targets)
