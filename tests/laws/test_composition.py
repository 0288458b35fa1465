"""Every nonideality that is switched on changes the result, alone and with every other, by either way of writing."""

from itertools import combinations

import pytest
import torch

from crossloom.backends import SimulatedBackend
from crossloom.mapping import MappingConfig
from crossloom.pipeline import simulate
from crossloom.programming import DirectSet, WriteVerify, program
from crossloom.runtime import run
from crossloom.spec import SystemSpec
from flows import MACRO, noisy_system, normal, place_graph
from small_graphs import linear_graph

DEVICE = {
    "programming_error": 3e-6,
    "read_noise": 3e-6,
    "variation": 0.1,
    "stuck_low": 0.05,
    "stuck_high": 0.05,
}
READOUT = {"offset": 3.0, "gain_error": 0.1}
ALL = {**DEVICE, **READOUT}
GRAPH, INPUTS = linear_graph(normal(12, 30)), normal(40, 30)
STRATEGIES = {"set": DirectSet(), "pulses": WriteVerify()}
_ANSWERS: dict[tuple, torch.Tensor] = {}


def system_with(names: frozenset[str]) -> SystemSpec:
    device = {name: DEVICE[name] for name in names if name in DEVICE}
    readout = {name: READOUT[name] for name in names if name in READOUT}
    return noisy_system({f"{MACRO}.pairing": "rows"}, readout=readout, pulse_spread=0.0, **device)


def answer(names: frozenset[str], how: str) -> torch.Tensor:
    if (names, how) not in _ANSWERS:
        system = system_with(names)
        chips = program(place_graph(GRAPH, INPUTS, system), SimulatedBackend(system, 2), STRATEGIES[how])
        _ANSWERS[names, how] = run(chips, INPUTS, probe_samples=0).outputs
    return _ANSWERS[names, how]


@pytest.mark.parametrize("how", STRATEGIES)
@pytest.mark.parametrize("name", ALL)
def test_each_alone_changes_the_result(name, how):
    assert not torch.equal(answer(frozenset({name}), how), answer(frozenset(), how))


@pytest.mark.parametrize("how", STRATEGIES)
@pytest.mark.parametrize("pair", combinations(ALL, 2), ids="+".join)
def test_each_changes_the_result_with_every_other(pair, how):
    both = answer(frozenset(pair), how)
    for name in pair:
        assert not torch.equal(both, answer(frozenset({name}), how))


@pytest.mark.parametrize("how", STRATEGIES)
@pytest.mark.parametrize("name", ALL)
def test_each_changes_the_result_when_all_others_are_on(name, how):
    everything = frozenset(ALL)
    assert not torch.equal(answer(everything, how), answer(everything - {name}, how))


@pytest.mark.parametrize("name", ALL)
def test_more_of_it_does_more_harm(name):
    exact = answer(frozenset(), "set")
    errors = []
    for scale in (0.25, 1.0, 4.0):
        value = min(scale * ALL[name], 0.4) if name.startswith("stuck") else scale * ALL[name]
        device = {name: value} if name in DEVICE else {}
        readout = {name: value} if name in READOUT else {}
        system = noisy_system({f"{MACRO}.pairing": "rows"}, readout=readout, pulse_spread=0.0, **device)
        chips = program(place_graph(GRAPH, INPUTS, system), simulate(system, 2), DirectSet())
        errors.append((run(chips, INPUTS, probe_samples=0).outputs - exact).square().mean().item())
    assert errors == sorted(set(errors))


@pytest.mark.parametrize("name", ALL)
def test_what_is_zero_is_off(name):
    device = {name: 0.0} if name in DEVICE else {}
    readout = {name: 0.0} if name in READOUT else {}
    system = noisy_system({f"{MACRO}.pairing": "rows"}, readout=readout, pulse_spread=0.0, **device)
    chips = program(place_graph(GRAPH, INPUTS, system), simulate(system, 2), DirectSet())
    assert torch.equal(run(chips, INPUTS, probe_samples=0).outputs, answer(frozenset(), "set"))


def test_two_chips_give_what_one_large_enough_gives():
    """Ideal cells and wide converters: tiles on one crossbar, or spread over several chips."""
    answers = []
    for num_rows, num_chips in ((64, 1), (16, 8)):
        system = noisy_system(
            {
                "num_chips": num_chips,
                "chip.num_cores": 1,
                "chip.core.num_macros": 1,
                f"{MACRO}.crossbar.num_rows": num_rows,
                f"{MACRO}.readout": {"bits": 24},
            }
        )
        mapping = MappingConfig(integration_time=1.0)
        placement = place_graph(GRAPH, INPUTS, system, mapping)
        chips = program(placement, simulate(system.noiseless()), DirectSet())
        answers.append(run(chips, INPUTS).outputs)
        assert len({address.chip for address in placement.macros}) == (1 if num_chips == 1 else 2)
    assert torch.equal(*answers)
