"""One call makes a placement faster with the macros that are left."""

import pytest
import torch

import crossloom as xl
from crossloom.cost import stage_times
from crossloom.placement import macro_loads
from placed_cases import chain_placement, convolutions_on_chips


@pytest.fixture(scope="module")
def placement() -> xl.Placement:
    return convolutions_on_chips(12)


def test_replicas_make_samples_follow_more_closely(placement):
    faster = xl.replicate(placement)
    assert xl.check_placement(faster) == ()
    schedules = [xl.schedule(each, num_samples=4) for each in (placement, faster)]
    assert [xl.check_schedule(each) for each in schedules] == [(), ()]
    loads = [max(macro_loads(each, stage_times(each).mvm).values()) for each in (placement, faster)]
    assert loads[1] < loads[0] / 5
    assert schedules[1].interval < schedules[0].interval
    assert faster.replicas
    assert len(faster.macros) <= faster.system.num_macros
    assert faster.mapped is placement.mapped


def test_a_budget_is_kept(placement):
    assert len(xl.replicate(placement, num_macros=3).macros) <= 3


def test_replicated_chips_answer_as_before(placement):
    inputs = torch.randn(3, 3, 12, 12)
    system = placement.system.noiseless()
    answers = []
    for each in (placement, xl.replicate(placement, num_macros=4)):
        chips = xl.program(each, xl.simulate(system, seed=0))
        answers.append(xl.run(chips, inputs, probe_samples=0).outputs)
    assert torch.equal(*answers)


def test_without_times_nothing_is_slow():
    with pytest.raises(xl.ConfigError, match="no time of an MVM"):
        xl.replicate(
            chain_placement(), xl.ComponentTable(name="bare", description="nothing known", node=1e-7)
        )
