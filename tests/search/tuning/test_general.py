"""Any knob by its name: found, refused, searched, and not searched twice."""

import pytest
from test_layer_by_layer import error
from tuning_cases import INPUTS, c200, chain_chips, chain_placement, labelled

from crossloom.backends import MockBackend, SimulatedBackend
from crossloom.errors import SearchError
from crossloom.programming import DirectSet, WriteVerify, attach
from crossloom.runtime import run
from crossloom.search import Budget, Choice, Float, Genetic, Grid, Int, Random
from crossloom.search.tuning import Knobs, tune
from crossloom.search.tuning.naming import make_names

REGISTERS = {f"layers.layer{number}.integration_time": Int(1, 63) for number in (1, 2, 3)}
BITS = "system.chip.core.macro.readout.bits"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("mapping.copy", "mapping.copies"),
        ("layers.layer1.integrationtime", "layers.layer1.integration_time"),
        ("mapping.layers.layer1.row_copy", "mapping.layers.layer1.row_copies"),
        ("programming.tolerence", "programming.tolerance"),
        ("system.chip.core.macro.readout.bit", BITS),
    ],
)
def test_a_knob_that_does_not_exist_is_refused_with_the_nearest_names(name, nearest):
    with pytest.raises(SearchError, match=nearest):
        tune(chain_chips(), INPUTS, {name: Int(1, 2)}, strategy=WriteVerify())


def test_the_specification_of_chips_that_are_not_simulated_is_no_knob():
    chips = attach(chain_placement(c200(None)), MockBackend(c200(None)))
    with pytest.raises(SearchError, match="specification of real chips is a fact"):
        tune(chips, INPUTS, {BITS: Int(4, 8)})


def test_accuracy_needs_labels():
    with pytest.raises(SearchError, match="needs labels"):
        tune(chain_chips(), INPUTS, Knobs(REGISTERS, goal="accuracy"))


def test_the_best_of_a_grid_is_what_single_chips_score():
    """Read voltage and input mode of all layers, all six combinations by hand; 64 samples decide."""
    chips = chain_chips(c200(0.06))
    knobs = {
        "mapping.input_mode": Choice(["bit_serial", "pulse"]),
        "layers.layer1.read_voltage": Choice([0.05, 0.1, 0.2]),
    }
    found = tune(chips, INPUTS, Knobs(knobs, sampler=Grid(), budget=Budget(points=6)), strategy=DirectSet())
    names = make_names(chips, (INPUTS[:64],), DirectSet())
    errors = {
        (mode, volt): error(
            names.applied({"mapping.input_mode": mode, "layers.layer1.read_voltage": volt}), INPUTS[:64]
        )
        for mode in ("bit_serial", "pulse")
        for volt in (0.05, 0.1, 0.2)
    }
    best = min(errors, key=errors.__getitem__)
    assert tuple(found.values.values()) == best
    assert found.num_evaluations > 6
    assert min(value for _, value in found.trajectory) == pytest.approx(errors[best])


def test_a_field_of_the_system_changes_the_chips():
    chips = chain_chips(c200(0.06, offset=0.5))
    result = tune(chips, INPUTS, Knobs({BITS: Choice([3, 6])}, sampler=Grid(), budget=Budget(points=2)))
    assert result.values == {BITS: 6}
    assert result.chips.backend.spec.macro.readout.bits == 6
    assert result.chips.placement.system.macro.readout.bits == 6
    assert isinstance(result.chips.backend, SimulatedBackend)
    assert error(result.chips) < error(chips)


def test_programming_choices_are_knobs():
    strategy = WriteVerify()
    names = make_names(chain_chips(), (INPUTS,), strategy)
    assert "programming.tolerance" in names.known()
    chips = names.applied({"programming.max_pulses": 3})
    assert max(int(tile.pulses.max()) for tile in chips.report.tiles) <= 3


def test_a_search_goes_on_from_its_store_and_runs_no_point_twice(tmp_path, monkeypatch):
    from crossloom.search.tuning import general

    chips, calls = chain_chips(), []
    plain = general._Objective.__call__
    monkeypatch.setattr(
        general._Objective,
        "__call__",
        lambda self, values, fidelity=1.0: calls.append(str(values)) or plain(self, values, fidelity),
    )
    for points in (5, 9):
        tune(
            chips,
            INPUTS,
            Knobs(
                REGISTERS, sampler=Random(), budget=Budget(points=points), store=tmp_path / "search.sqlite"
            ),
        )
    assert len(calls) == len(set(calls)) == 9


@pytest.mark.slow
def test_the_genetic_search_finds_better_registers():
    """Registers of three layers from their worst; 60 points, population of 10, seed 0: the error falls."""
    from crossloom.mapping import MappingConfig

    chips = chain_chips(c200(0.06), mapping=MappingConfig(integration_time=63.0))
    way = Knobs(REGISTERS, sampler=Genetic(population=10), budget=Budget(points=60))
    result = tune(chips, labelled(), way)
    assert result.after.error < result.before.error
    assert set(result.worth) <= set(REGISTERS)
    assert not run(result.chips, INPUTS).outputs.equal(run(chips, INPUTS).outputs)


def test_points_that_no_placement_takes_are_failures_and_the_rest_goes_on():
    chips = chain_chips(c200(0.06))
    knobs = {"mapping.row_copies": Choice([1, 2]), "mapping.copies": Choice([1, 64])}
    chips_of_one = chips.placement.system.replace(num_chips=1)
    from tuning_cases import CHAIN

    from crossloom.programming import program
    from flows import place_graph

    one = program(place_graph(CHAIN, INPUTS, chips_of_one), SimulatedBackend(chips_of_one), DirectSet())
    result = tune(one, INPUTS, Knobs(knobs, sampler=Grid(), budget=Budget(points=4)), strategy=DirectSet())
    assert any("2 of 4 points" in note for note in result.notes)


def test_an_unknown_way_to_tune_is_refused():
    with pytest.raises(Exception, match="need LayerByLayer"):
        tune(chain_chips(), INPUTS, 7)


def test_a_float_knob_moves_the_tolerance_of_writing():
    """A mapping of names is enough; 4 points by the usual sampler."""
    found = tune(
        chain_chips(),
        INPUTS,
        Knobs({"programming.tolerance": Float(2e-7, 4e-6, log=True)}, budget=Budget(points=4)),
        strategy=WriteVerify(),
    )
    assert found.num_evaluations >= 4
