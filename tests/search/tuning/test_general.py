"""Any knob by its name: found, refused, searched, and not searched twice."""

import pytest
from counting_backend import CountingBackend
from test_layer_by_layer import error
from tuning_cases import INPUTS, c200, chain_chips, chain_placement, labelled

from crossloom.backends import MockBackend, SimulatedBackend
from crossloom.errors import ConfigError, SearchError
from crossloom.programming import DirectSet, WriteVerify, attach, program
from crossloom.runtime import run
from crossloom.search import Budget, Choice, Float, Genetic, Grid, Int, Random
from crossloom.search.tuning import Knobs, LayerByLayer, tune
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
        lambda self, values: calls.append(str(values)) or plain(self, values),
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


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (lambda chips: (chain_chips(seed=1), INPUTS), "chips"),
        (lambda chips: (chips, INPUTS[1:]), "data"),
        (lambda chips: (tune(chips, INPUTS, LayerByLayer(num_vectors=16)).chips, INPUTS), "choices"),
    ],
    ids=["chips", "data", "registers"],
)
def test_the_points_of_other_chips_and_other_data_are_not_taken_from_a_store(tmp_path, other, difference):
    chips, way = (
        chain_chips(),
        Knobs(REGISTERS, sampler=Random(), budget=Budget(points=3), store=tmp_path / "s.sqlite"),
    )
    first = tune(chips, INPUTS, way)
    with pytest.raises(SearchError, match=f"another study.*{difference}"):
        tune(*other(chips), way)
    again = tune(chips, INPUTS, way)
    assert again.trajectory == first.trajectory
    assert again.num_evaluations == first.num_evaluations


def test_chips_that_cannot_be_copied_are_scored_before_the_search_writes_to_them():
    """One point, the mapping as it is with more copies; by hand: the error of the samples held out, untouched."""
    backend = CountingBackend(SimulatedBackend(c200(0.06, offset=0.5)))
    chips = program(chain_placement(), backend, DirectSet())
    wanted = error(chips, INPUTS[80:])
    way = Knobs({"mapping.copies": Choice([64])}, sampler=Grid(), budget=Budget(points=1))
    found = tune(chips, INPUTS, way, strategy=DirectSet())
    assert found.before.error == pytest.approx(wanted)
    worse = Knobs({"mapping.integration_time": Choice([1])}, sampler=Grid(), budget=Budget(points=1))
    found = tune(chips, INPUTS, worse, strategy=DirectSet())
    assert any("program these chips again" in note for note in found.notes)


@pytest.mark.parametrize(
    "knob",
    [Int(1, 64), Int(0, 5), Float(1, 5), Choice([3, 3.5]), Choice(["long"])],
    ids=str,
)
def test_values_that_no_register_holds_are_refused_before_any_work(knob):
    with pytest.raises(SearchError, match=r"layer1\.integration_time"):
        tune(chain_chips(), INPUTS, {"layers.layer1.integration_time": knob})


@pytest.mark.parametrize(
    "choice",
    [{"goal": "speed"}, {"held_out": -1.0}, {"num_samples": 0}, {"reference": "best"}, {"seed": -1}],
    ids=str,
)
def test_choices_that_cannot_be_are_refused(choice):
    with pytest.raises(ConfigError, match=next(iter(choice))):
        Knobs(REGISTERS, **choice)


def test_what_was_found_is_not_lost_for_want_of_a_library_that_tells_its_worth(monkeypatch):
    from crossloom.search import libraries

    def missing(name):
        raise ModuleNotFoundError(name, name=name)

    monkeypatch.setattr(libraries.importlib, "import_module", missing)
    result = tune(
        chain_chips(), INPUTS, Knobs(REGISTERS, sampler=Random(), budget=Budget(points=25), num_samples=8)
    )
    assert result.after.error < result.before.error
    assert result.worth == {}


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

    from flows import place_graph

    one = program(place_graph(CHAIN, INPUTS, chips_of_one), SimulatedBackend(chips_of_one), DirectSet())
    result = tune(one, INPUTS, Knobs(knobs, sampler=Grid(), budget=Budget(points=4)), strategy=DirectSet())
    assert any("2 of 4 points" in note and "CapacityError" in note for note in result.notes)


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
