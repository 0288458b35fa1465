"""What a tuning says that it took is what the chips were asked, and a budget is never passed."""

import pytest
from counting_backend import CountingBackend
from tuning_cases import INPUTS, c200, chain_placement, labelled

from crossloom.backends import SimulatedBackend
from crossloom.programming import DirectSet, ProgrammedChips, program
from crossloom.search import Budget, Grid, Int
from crossloom.search.tuning import Exhaustive, Knobs, LayerByLayer, TwoStages, mapping_stage, options, tune

ALL = ("integration_time", "offset", "gain")
LAYERS = LayerByLayer(num_vectors=64)


def chips_that_count() -> tuple[CountingBackend, ProgrammedChips]:
    backend = CountingBackend(SimulatedBackend(c200(offset=0.5, gain_error=0.05)))
    chips = program(chain_placement(), backend, DirectSet())
    assert backend.num_mvms == 0
    return backend, chips


@pytest.mark.parametrize(
    "way",
    [
        LAYERS,
        LAYERS.replace(reference="nominal"),
        LAYERS.replace(knobs=("integration_time", "read_voltage"), read_voltages=(0.05, 0.2)),
        LAYERS.replace(max_evaluations=40.0),
        Exhaustive(num_samples=8, num_vectors=16, max_evaluations=90.0),
        Exhaustive(num_samples=8, num_vectors=16, knobs=ALL),
        Knobs({"layers.layer1.integration_time": Int(9, 11)}, sampler=Grid(), budget=Budget(points=3)),
    ],
    ids=lambda way: type(way).__name__,
)
def test_every_mvm_is_counted_once(way):
    backend, chips = chips_that_count()
    result = tune(chips, labelled(), way)
    assert result.num_mvms == backend.num_mvms > 0


def test_those_of_the_simulator_count_too(monkeypatch):
    """Stage 1 asks only simulated chips, stage 2 the chips themselves: all of their MVMs together."""
    backend, chips = chips_that_count()
    backends, plain = [backend], options.simulate

    def simulate(*args) -> CountingBackend:
        backends.append(CountingBackend(plain(*args)))
        return backends[-1]

    monkeypatch.setattr(options, "simulate", simulate)
    monkeypatch.setattr(mapping_stage, "simulate", simulate)
    way = TwoStages(copies=(1, 2), row_copies=(1,), num_vectors=32, layers=LAYERS)
    result = tune(chips, INPUTS, way, strategy=DirectSet())
    assert backends[1].num_mvms > 0
    assert result.num_mvms == sum(chips.num_mvms for chips in backends)
    assert result.num_evaluations == pytest.approx(result.num_mvms / (3 * 64))


@pytest.mark.parametrize("most", [7.0, 30.0, 60.0, 90.0])
def test_no_more_evaluations_are_made_than_the_budget_has(most):
    """Each layer's sweep of 64 settings on 64 vectors takes 64 / 3 evaluations, and the scores take 5 in all."""
    for way in (
        LAYERS.replace(max_evaluations=most),
        Exhaustive(num_samples=40, num_vectors=16, knobs=ALL, max_evaluations=most),
    ):
        _, chips = chips_that_count()
        result = tune(chips, INPUTS, way)
        assert result.num_evaluations <= most
        assert any(f"room for {len(result.layers)} of 3" in note for note in result.notes) is (
            len(result.layers) < 3
        )
        if way.kind == "layer_by_layer":
            assert len(result.layers) == int((most - 1 - 1.25 * 4) // (64 / 3))


def test_the_trajectory_is_the_least_error_so_far():
    _, chips = chips_that_count()
    for way in (LAYERS, Knobs({"layers.layer1.integration_time": Int(1, 63)}, budget=Budget(points=6))):
        spent, errors = zip(*tune(chips, INPUTS, way).trajectory, strict=True)
        assert list(spent) == sorted(spent)
        assert list(errors) == sorted(errors, reverse=True)
