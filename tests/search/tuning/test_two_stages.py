"""Two stages: copies and modes from a simulator, within the system; registers on chips that it does not know."""

from dataclasses import replace

import pytest
import torch
from test_layer_by_layer import error
from tuning_cases import CHAIN, FRESH, INPUTS, c200, chain_chips, chain_placement

from crossloom.backends import SimulatedBackend
from crossloom.errors import CapacityError, ConfigError, MissingDependencyError
from crossloom.mapping import MappingConfig
from crossloom.placement import PlacementConfig, place
from crossloom.programming import DirectSet, ProgrammedChips, attach, program
from crossloom.runtime import run
from crossloom.search.tuning import LayerByLayer, TwoStages, plan_mapping, tune
from crossloom.search.tuning.options import Option, with_options
from crossloom.spec import BitSerial, Pulse, Wires, load_system
from flows import place_graph

LAYERS = LayerByLayer(num_vectors=64, num_samples=32)
QUICK = TwoStages(copies=(1, 2), row_copies=(1,), num_vectors=64, layers=LAYERS)


def far_from_nominal(seed: int = 0) -> ProgrammedChips:
    """Chips with offsets, gain errors, wires and a variation that the placement's system does not have."""
    system = c200(0.1, offset=0.5, gain_error=0.05)
    macro = system.macro
    cell = macro.cell.replace(device=macro.cell.device.replace(variation=0.05))
    crossbar = macro.crossbar.replace(cell=cell, wires=Wires(0.2, 0.2))
    actual = system.with_macro(macro.replace(crossbar=crossbar))
    return program(chain_placement(c200(0.1)), SimulatedBackend(actual, seed), DirectSet())


def test_a_nominal_simulator_tunes_chips_that_differ_from_it():
    """One set of chips, 32 samples to tune with, 300 fresh ones: the error falls to a third, and copies were made."""
    chips = far_from_nominal()
    result = tune(chips, INPUTS, QUICK, strategy=DirectSet())
    assert error(result.chips) < error(chips) / 3
    assert result.after.error < result.before.error
    assert len(result.chips.placement.mapped.tiles) > len(chips.placement.mapped.tiles)
    assert {"mapping", "integration_time", "offset", "gain"} == set(result.worth)
    assert len(result.values) == 3


def test_stage_1_touches_no_chip():
    placement = chain_placement(c200(0.1))
    backend = SimulatedBackend(c200(0.1))
    before = backend.to_state().macros
    plan = plan_mapping(attach(placement, backend), INPUTS, QUICK)
    assert backend.to_state().macros == before == {}
    assert plan.placement.mapped.quantized is placement.mapped.quantized


@pytest.mark.parametrize(("row_copies", "time"), [(1, 30.0), (2, 15.0)])
def test_a_mapping_begins_at_the_times_that_were_there(row_copies, time):
    """Codes stand for the same sums: a network that was trained with its converters answers as it learned to."""
    mapped = chain_placement(c200(None)).mapped
    mapped = mapped.with_integration_times(dict.fromkeys(range(len(mapped.tiles)), 30.0))
    own = next(iter(mapped.schemes.values())).input_mode
    found = with_options(mapped, dict.fromkeys(mapped.schemes, Option(2, row_copies, own)))
    assert {tile.integration_time for tile in found.tiles} == {time}
    other = with_options(mapped, dict.fromkeys(mapped.schemes, Option(2, row_copies, Pulse())))
    assert own != Pulse()
    assert time not in {tile.integration_time for tile in other.tiles}


def test_copies_with_offsets_alone_leave_ideal_answers_as_they_are():
    chips = chain_chips(c200(0.1))
    layers = LAYERS.replace(knobs=("offset",), reference="nominal")
    way = QUICK.replace(modes=("bit_serial",), copies=(1, 3), layers=layers)
    placement = chain_placement(c200(0.1))
    mapped = placement.mapped.with_integration_times(dict.fromkeys(range(len(placement.mapped.tiles)), 30.0))
    plan = plan_mapping(attach(placement.with_mapped(mapped), chips.backend), INPUTS, way)
    assert any(option.copies == 3 for option in plan.options.values())
    ideal = c200(None).noiseless()
    answers = [
        run(program(each, SimulatedBackend(ideal), DirectSet()), INPUTS, probe_samples=0).outputs
        for each in (placement.with_mapped(mapped), plan.placement)
    ]
    torch.testing.assert_close(*answers)


@pytest.mark.slow
def test_the_mapping_fits_the_system_and_prefers_what_errs_less():
    """Room for everything: the option of least error wins wherever the price is nothing."""
    free = QUICK.replace(row_copies=(1, 2), array_price=0.0, cycle_price=0.0, threshold=0.0)
    plan = plan_mapping(chain_chips(c200(0.1)), INPUTS, free)
    assert {option.copies * option.row_copies for option in plan.options.values()} == {4}
    assert {option.mode.kind for option in plan.options.values()} == {"pulse"}


def test_dear_cycles_and_cells_leave_the_smallest_and_quickest():
    dear = QUICK.replace(array_price=1e6, cycle_price=1e6)
    plan = plan_mapping(chain_chips(c200(0.1)), INPUTS, dear)
    assert set(plan.options.values()) == {Option(1, 1, BitSerial())}


def test_a_good_layer_is_not_made_better_at_any_price():
    """With every error under the threshold, the price alone decides."""
    plan = plan_mapping(chain_chips(c200(0.1)), INPUTS, QUICK.replace(threshold=10.0))
    assert set(plan.options.values()) == {Option(1, 1, BitSerial())}


def test_copies_stop_where_the_system_is_full():
    """A crossbar of 176 rows and 41 columns takes every tile once (83 % of its cells) but not one copy of all."""
    full = c200(0.1)
    crossbar = full.macro.crossbar.replace(num_rows=176, num_columns=41)
    system = full.with_macro(full.macro.replace(crossbar=crossbar)).replace(num_chips=1)
    placement = place_graph(CHAIN, INPUTS, system)
    chips = attach(placement, SimulatedBackend(system))
    plan = plan_mapping(chips, INPUTS, QUICK.replace(array_price=0.0, cycle_price=0.0))
    assert plan.placement.mapped.num_cells <= 176 * 41
    assert len(plan.placement.macros) == 1
    with pytest.raises(CapacityError, match="smallest mapping"):
        plan_mapping(chips, INPUTS, QUICK.replace(copies=(4,)))


def test_options_keep_all_other_choices_of_a_layer():
    placement = chain_placement(c200(0.1))
    mapped = with_options(placement.mapped, {"layer1": Option(2, 1, Pulse())})
    assert mapped.schemes["layer1"].copies == 2
    assert mapped.schemes["layer1"].encoding == placement.mapped.schemes["layer1"].encoding
    placed = place(replace(mapped), PlacementConfig(effort=0), placement.system)
    assert len(placed.sites) == len(placement.sites) + 1


def test_unknown_modes_are_refused_with_the_nearest_names():
    with pytest.raises(ConfigError, match="did you mean pulse"):
        tune(chain_chips(), INPUTS, TwoStages(modes=("pulses",)))


def test_on_hardware_without_errors_the_mapping_stays_the_smallest_and_quickest():
    """No option harms, so the prices alone decide; and what is no better is not taken."""
    ideal = load_system("ideal")
    chips = program(place_graph(CHAIN, INPUTS, ideal), SimulatedBackend(ideal), DirectSet())
    plan = plan_mapping(chips, INPUTS, QUICK)
    smallest = {(option.copies, option.row_copies) for option in plan.options.values()}
    assert smallest == {(1, 1)}
    result = tune(chips, INPUTS, QUICK, strategy=DirectSet())
    assert result.chips is chips
    assert set(result.worth.values()) == {0.0}
    assert (result.layers, result.values) == ((), {})
    assert result.after == result.before


def test_a_network_without_layers_on_the_chips_stays_as_it_is():
    system = c200(0.1)
    mapping = MappingConfig(digital=("layer1", "layer2", "layer3"))
    chips = program(chain_placement(system, mapping), SimulatedBackend(system), DirectSet())
    result = tune(chips, INPUTS, QUICK, strategy=DirectSet())
    assert result.after == result.before
    assert result.num_evaluations == 0


def test_without_scipy_nothing_begins(monkeypatch):
    from crossloom.search import libraries

    def missing(name):
        raise ModuleNotFoundError(name, name="scipy")

    chips = chain_chips(c200(0.1))
    monkeypatch.setattr(libraries.importlib, "import_module", missing)
    monkeypatch.setattr(SimulatedBackend, "mvm_many", None)
    for work in (plan_mapping, tune):
        with pytest.raises(MissingDependencyError, match="pip install"):
            work(chips, INPUTS, QUICK)


def test_no_modes_are_refused():
    with pytest.raises(ConfigError, match="modes"):
        TwoStages(modes=())


@pytest.mark.slow
def test_chips_of_two_stages_survive_saving(tmp_path):
    from crossloom.runtime import run

    result = tune(chain_chips(c200(0.1, offset=0.5)), INPUTS, QUICK, strategy=DirectSet())
    result.chips.save(tmp_path / "tuned.xloom")
    again = ProgrammedChips.load(tmp_path / "tuned.xloom")
    assert run(again, FRESH).outputs.equal(run(result.chips, FRESH).outputs)
