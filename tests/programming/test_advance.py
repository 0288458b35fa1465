"""Time passes for programmed chips, and for none but those."""

import pytest
import torch

from crossloom.backends import MockBackend
from crossloom.errors import ConfigError, ProgramError
from crossloom.hardware import Backend
from crossloom.programming import (
    DirectSet,
    ProgrammedChips,
    WriteVerify,
    advance,
    attach,
    plan_programming,
    program,
    refresh,
)
from crossloom.runtime import run
from crossloom.spec import load_device, load_system
from flows import MACRO, normal, place_graph
from small_graphs import chain_graph

GRAPH, INPUTS = chain_graph(normal(10, 20, seed=1), normal(4, 10, seed=2)), normal(16, 20)
SYSTEM = load_system("ideal", {f"{MACRO}.crossbar.num_rows": 64, f"{MACRO}.crossbar.num_columns": 32})
PHASE_CHANGE = SYSTEM.with_cell(load_device("pcm_nandakumar").cell)


def programmed(seed: int = 0) -> ProgrammedChips:
    from crossloom.backends import SimulatedBackend

    placement = place_graph(GRAPH, INPUTS, PHASE_CHANGE)
    return program(placement, SimulatedBackend(PHASE_CHANGE, seed), DirectSet())


def conductances(chips: ProgrammedChips) -> torch.Tensor:
    tiles = plan_programming(chips.placement).tiles
    return torch.cat([chips.backend.conductance(tile.address, tile.region).flatten() for tile in tiles])


def ages(chips: ProgrammedChips) -> torch.Tensor:
    region = plan_programming(chips.placement).tiles[0]
    return chips.backend.to_state().macros[region.address].cells.age


def test_no_time_at_all_changes_nothing():
    chips = programmed()
    assert advance(chips, 0) is chips


def test_chips_age_and_the_ones_before_stay_as_they_were():
    chips = programmed()
    before, answers = conductances(chips), run(chips, INPUTS).outputs
    aged = advance(chips, 1e6)
    assert torch.equal(conductances(chips), before)
    assert torch.equal(run(chips, INPUTS).outputs, answers)
    assert conductances(aged).sum() < 0.8 * before.sum()
    assert not torch.equal(run(aged, INPUTS).outputs, answers)
    assert "1e+06 s since" in aged.summary()


def test_two_waits_are_one_of_their_sum():
    chips = programmed()
    apart, at_once = advance(advance(chips, 1e3), 1e5), advance(chips, 1e3 + 1e5)
    assert apart.elapsed == at_once.elapsed == 1e3 + 1e5
    assert torch.equal(ages(apart), ages(at_once))
    torch.testing.assert_close(conductances(apart), conductances(at_once), rtol=1e-9, atol=1e-15)


def test_the_age_is_saved_with_the_chips(tmp_path):
    aged = advance(programmed(), 3600.0)
    aged.save(tmp_path / "aged.xloom")
    loaded = ProgrammedChips.load(tmp_path / "aged.xloom")
    assert loaded.elapsed == 3600
    assert torch.equal(run(loaded, INPUTS).outputs, run(aged, INPUTS).outputs)
    later = [advance(one, 1e6) for one in (loaded, aged)]
    assert torch.equal(conductances(later[0]), conductances(later[1]))


@pytest.mark.parametrize("elapsed", [-1.0, float("nan"), float("inf")])
def test_time_that_cannot_pass_is_refused(elapsed):
    with pytest.raises(ConfigError, match="elapsed >= 0"):
        advance(programmed(), elapsed)


def test_a_backend_without_time_is_refused_by_name():
    chips = program(place_graph(GRAPH, INPUTS, SYSTEM), MockBackend(SYSTEM))
    with pytest.raises(ProgramError, match="MockBackend cannot let time pass"):
        advance(chips, 1.0)


def test_a_backend_that_can_only_wait_waits():
    class Bench(Backend):
        waited = 0.0
        spec = PHASE_CHANGE
        pulse = read = mvm = None

        def wait(self, elapsed: float) -> None:
            self.waited += elapsed

    Bench.__abstractmethods__ = frozenset()
    bench = Bench()
    aged = advance(attach(programmed().placement, bench), 5.0)
    assert aged.backend is bench
    assert bench.waited == 5.0


def test_refreshed_cells_are_back_and_the_report_says_what_it_took():
    chips = programmed()
    aged = advance(chips, 1e6)
    new = refresh(aged, DirectSet())
    targets = torch.cat([tile.targets.flatten() for tile in plan_programming(chips.placement).tiles])
    misses = [(conductances(one) - targets).square().mean().sqrt().item() for one in (chips, aged, new)]
    assert misses[2] == pytest.approx(misses[0], rel=0.2)
    assert misses[1] > 3 * misses[0]
    assert new.elapsed == 0
    assert new.report is not chips.report


def test_write_verify_touches_only_cells_that_left_their_tolerance():
    from flows import noisy_system, program_graph

    chips = program_graph(GRAPH, INPUTS, noisy_system(), strategy=WriteVerify())
    again = refresh(chips)
    assert chips.report.num_pulses > 0
    assert again.report.num_pulses == 0
