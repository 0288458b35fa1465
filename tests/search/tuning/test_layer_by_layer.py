"""Layer by layer: what is tuned is better, what is right stays, and runs use what was found."""

import pytest
import torch
from tuning_cases import CHAIN, FRESH, INPUTS, c200, chain_chips, chain_placement, labelled

from crossloom.backends import RecordedBackend, RecordingBackend, SimulatedBackend
from crossloom.calibration import measure_settings, propagate
from crossloom.datasets import Dataset
from crossloom.errors import ConfigError, DataError, ProgramError, RunError, SearchError
from crossloom.hardware import DenseCodes, Draw
from crossloom.mapping import MappingConfig
from crossloom.programming import DirectSet, LayerCorrection, ProgrammedChips, TileCorrection, program
from crossloom.runtime import LayerOnChips, run
from crossloom.search.tuning import LayerByLayer, TuningResult, TwoStages, tune
from crossloom.search.tuning.layer import settings_of
from flows import MACRO, noisy_system, normal

QUICK = LayerByLayer(num_vectors=128)


def error(chips: ProgrammedChips, inputs: torch.Tensor = FRESH) -> float:
    exact = run(chips, inputs, mode="integer", probe_samples=0).outputs
    answered = run(chips, inputs, probe_samples=0).outputs
    return ((answered - exact).square().sum() / exact.square().sum()).item()


@pytest.mark.parametrize("seed", range(4))
def test_tuned_chips_are_better_on_samples_that_tuning_never_saw(seed):
    """Four sets of chips, 80 samples to tune with, 300 fresh ones: the error at least halves on each."""
    chips = chain_chips(seed=seed)
    result = tune(chips, INPUTS, QUICK)
    assert result.after.error <= result.before.error
    assert error(result.chips) < error(chips) / 2


def test_with_each_knob_the_error_of_every_layer_shrinks_or_stays():
    result = tune(chain_chips(), INPUTS, QUICK)
    for layer in result.layers:
        assert all(worth >= 0 for worth in layer.worth.values())
        assert sum(layer.worth.values()) == pytest.approx(layer.error_before - layer.error_after)


def test_nominal_chips_at_their_best_time_stay_as_they_are():
    """Ideal cells and converters: the reference of kind `nominal` is what they answer already."""
    chips = program(chain_placement(c200(None)), SimulatedBackend(c200(None)), DirectSet())
    result = tune(chips, INPUTS, LayerByLayer(reference="nominal", num_vectors=128))
    assert result.before.error < 1e-12
    for layer in result.layers:
        assert layer.error_before < 1e-12
        assert layer.settings_after == layer.settings_before
    assert torch.equal(run(result.chips, FRESH).outputs, run(chips, FRESH).outputs)


def test_a_wrong_register_finds_back_to_the_best_of_all_63():
    """Every layer at n = 63 to begin with. The tuned time of the first layer, whose inputs no tuning changes, is the
    best of all 63 on 512 fresh vectors, or within 2 % of its error (seed 0)."""
    chips = chain_chips(c200(), mapping=MappingConfig(integration_time=63.0))
    result = tune(chips, INPUTS, LayerByLayer(knobs=("integration_time",)))
    first = result.layers[0].settings_after["integration_time"]
    node = CHAIN.matrices[0]
    codes = chips.placement.mapped.quantized.layers[node.name].quantize_input(normal(512, 40, seed=9))
    settings = settings_of(chips, node.name, LayerCorrection(), ("integration_time",))[1:]
    sums = measure_settings(chips, node, settings, DenseCodes(codes, 512), Draw(1))
    errors = [found.error(setting) for found, setting in zip(sums, settings, strict=True)]
    assert errors[int(first) - 1] <= 1.02 * min(errors)
    assert errors[62] > 3 * min(errors)


def test_the_sweep_in_one_call_equals_calls_one_by_one():
    chips = chain_chips(c200(offset=0.5, gain_error=0.05))
    node = CHAIN.matrices[0]
    codes = DenseCodes(chips.placement.mapped.quantized.layers[node.name].quantize_input(INPUTS), len(INPUTS))
    settings = settings_of(chips, node.name, LayerCorrection(), ("integration_time", "read_voltage"), (0.05,))
    together = measure_settings(chips, node, settings, codes, Draw(3))
    assert len(settings) == 1 + 2 * 63
    for setting, found in zip(settings, together, strict=True):
        alone = LayerOnChips(chips.placement, node, chips.backend, setting)
        parts, _ = alone.parts(codes, Draw(3))
        for one, other in zip(parts, found.parts, strict=True):
            assert one.number == other.number
            assert one.scale == other.scale
            assert torch.equal(one.sums, other.sums)


def test_propagation_meets_each_layer_with_the_inputs_of_a_full_run():
    chips = chain_chips()
    result = tune(chips, INPUTS, QUICK)
    seen: dict[str, torch.Tensor] = {}
    hooks = {
        name: lambda probe: seen.setdefault(probe.layer, probe.inputs) for name in result.corrections.layers
    }
    outputs = run(result.chips, INPUTS[:64], hooks=hooks, probe_samples=0, batch_size=64).outputs
    found: dict[str, torch.Tensor] = {}

    def visit(arrival):
        found[arrival.node.name] = arrival.values
        return arrival.answer(result.corrections.layers[arrival.node.name])

    last = propagate(chips, (INPUTS[:64],), result.corrections.layers, visit, 0)
    assert found.keys() == seen.keys()
    assert all(torch.equal(found[name], seen[name]) for name in seen)
    assert torch.equal(last[0], outputs)


def test_a_result_survives_saving_and_runs_use_it(tmp_path):
    chips = chain_chips()
    result = tune(chips, labelled(), QUICK)
    result.save(tmp_path / "result.xloom")
    result.chips.save(tmp_path / "chips.xloom")
    again, tuned = (
        TuningResult.load(tmp_path / "result.xloom"),
        ProgrammedChips.load(tmp_path / "chips.xloom"),
    )
    assert again.before == result.before
    assert again.worth == result.worth
    assert again.chips is None
    wanted = run(result.chips, FRESH).outputs
    assert torch.equal(run(tuned, FRESH).outputs, wanted)
    assert torch.equal(run(chips.with_calibration(again), FRESH).outputs, wanted)
    assert not torch.equal(run(chips, FRESH).outputs, wanted)


def test_a_recorded_session_replays_the_same_tuning():
    placement = chain_placement()
    recording = RecordingBackend(SimulatedBackend(c200(offset=0.5), 1))
    first = tune(program(placement, recording, DirectSet()), INPUTS, QUICK)
    replayed = RecordedBackend(recording.recording())
    second = tune(program(placement, replayed, DirectSet()), INPUTS, QUICK)
    assert replayed.is_finished
    assert second.after == first.after
    assert second.trajectory == first.trajectory


def test_a_budget_leaves_the_layers_after_it_alone():
    result = tune(chain_chips(), INPUTS, LayerByLayer(num_vectors=128, max_evaluations=1e-6))
    assert result.layers == ()
    assert result.after == result.before
    assert any("budget" in note for note in result.notes)


def test_an_interrupt_keeps_what_is_tuned(monkeypatch):
    from crossloom.search.tuning import layer_by_layer

    plain, calls = layer_by_layer.choose_settings, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(*args)

    monkeypatch.setattr(layer_by_layer, "choose_settings", interrupted)
    result = tune(chain_chips(), INPUTS, QUICK)
    assert [layer.layer for layer in result.layers] == ["layer1", "layer2"]
    assert result.after.error < result.before.error
    assert any("interrupted: 2 of 3" in note for note in result.notes)


def test_the_summary_fits_100_columns_and_names_scores_and_worth():
    result = tune(chain_chips(), labelled(), QUICK)
    lines = result.summary().splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.strip().startswith("before: accuracy") for line in lines)
    assert any(line.strip().startswith("offset:") for line in lines)


def test_voltage_times_time_sets_the_gain_of_ohmic_cells():
    """Half the voltage for twice the time gives the same codes, cell errors, offsets and read noise included."""
    chips = chain_chips(c200(offset=0.5))
    node, numbers = CHAIN.matrices[0], chips.placement.mapped.tiles_of["layer1"]
    codes = DenseCodes(chips.placement.mapped.quantized.layers["layer1"].quantize_input(INPUTS), len(INPUTS))

    def answer(time: float, voltage: float | None) -> torch.Tensor:
        tiles = {number: TileCorrection(time, read_voltage=voltage) for number in numbers}
        layer = LayerOnChips(chips.placement, node, chips.backend, LayerCorrection(tiles))
        return layer.parts(codes, Draw(0))[0][0].sums

    plain = answer(10.0, None)
    assert torch.equal(plain, answer(10.0, 0.1))
    assert torch.equal(plain, answer(20.0, 0.05))
    assert not torch.equal(plain, answer(10.0, 0.05))


@pytest.mark.parametrize(
    ("chips", "data", "config", "error_type", "words"),
    [
        ("nothing", INPUTS, {}, RunError, "program them first"),
        (None, INPUTS[:2], {}, DataError, "at least"),
        (None, [1.0], {}, DataError, "tensor"),
        (None, torch.full((20, 40), torch.nan), {}, DataError, "finite"),
        (None, torch.cat([torch.full((1, 40), torch.nan), INPUTS]), {}, DataError, "finite"),
        (None, Dataset(INPUTS, torch.full((160,), 5), "odd"), {}, DataError, r"0\.\.\.4, got 5\.\.\.5"),
        (None, Dataset(INPUTS, torch.full((160,), -1), "odd"), {}, DataError, r"0\.\.\.4, got -1"),
    ],
)
def test_bad_input_is_refused_before_any_work(chips, data, config, error_type, words):
    with pytest.raises(error_type, match=words):
        tune(chips or chain_chips(), data, LayerByLayer(**config))


@pytest.mark.parametrize(
    "config",
    [
        {"knobs": ("gain", "offset")},
        {"knobs": ("offset", "offset")},
        {"knobs": ("read_voltage",)},
        {"read_voltages": (0.1,)},
        {"knobs": ("voltage",)},
        {"knobs": ("read_voltage",), "read_voltages": (0.1, 0.1)},
        {"knobs": ("read_voltage",), "read_voltages": (0.0,)},
        {"knobs": ("read_voltage",), "read_voltages": (-0.1,)},
        {"knobs": ("read_voltage",), "read_voltages": (float("inf"),)},
        {"knobs": ("read_voltage",), "read_voltages": tuple(0.1 * step for step in range(1, 10))},
    ],
)
def test_contradictory_knobs_are_refused(config):
    with pytest.raises(ConfigError, match=r"knobs|read_voltages"):
        LayerByLayer(**config)


@pytest.mark.filterwarnings("error")
def test_one_vector_to_judge_by_changes_no_register():
    """Four samples: two to tune with, of which one fits lines and one would judge."""
    result = tune(chain_chips(), INPUTS[:4], QUICK)
    assert all(layer.settings_after == layer.settings_before for layer in result.layers)


def test_voltages_for_a_system_that_does_not_say_its_own_are_refused_before_any_work(monkeypatch):
    system = noisy_system({f"{MACRO}.dac.read_voltage": None})
    chips = program(chain_placement(system), SimulatedBackend(system), DirectSet())
    monkeypatch.setattr(SimulatedBackend, "mvm_many", None)
    volts = QUICK.replace(knobs=("read_voltage",), read_voltages=(0.1,))
    for way in (volts, TwoStages(layers=volts)):
        with pytest.raises(SearchError, match=r"give dac\.read_voltage"):
            tune(chips, INPUTS, way)


def test_what_found_nothing_still_applies_to_its_chips():
    chips = program(chain_placement(c200(None)), SimulatedBackend(c200(None)), DirectSet())
    result = tune(chips, INPUTS, QUICK.replace(reference="nominal"))
    again = chips.with_calibration(result)
    assert torch.equal(run(again, FRESH).outputs, run(chips, FRESH).outputs)


def test_an_interrupt_while_scores_are_taken_keeps_those_that_are(monkeypatch):
    """The third score, that with offsets, is interrupted: the registers are taken, and nothing behind them."""
    from crossloom.search.tuning import scoring

    plain, calls = scoring.run, []

    def interrupted(chips, *args, **choices):
        calls.append(choices.get("mode"))
        if calls.count(None) == 3:
            raise KeyboardInterrupt
        return plain(chips, *args, **choices)

    monkeypatch.setattr(scoring, "run", interrupted)
    result = tune(chain_chips(), INPUTS, QUICK)
    assert result.after.error < result.before.error
    assert any("interrupted, and not judged: offset, gain" in note for note in result.notes)
    assert all(tile.offset is None for tile in result.corrections.layers["layer1"].tiles.values())


def test_a_register_of_many_values_is_tried_at_no_more_than_256():
    system = c200(0.06)
    integrator = system.macro.readout.integrator.replace(max_time=65535)
    macro = system.macro.replace(readout=system.macro.readout.replace(integrator=integrator))
    chips = program(
        chain_placement(system.with_macro(macro)), SimulatedBackend(system.with_macro(macro)), DirectSet()
    )
    settings = settings_of(chips, "layer1", LayerCorrection(), ("integration_time",))[1:]
    times = [next(iter(setting.tiles.values())).integration_time for setting in settings]
    assert 150 < len(times) <= 256
    assert (times[0], times[-1]) == (1.0, 65535.0)
    assert all(time == int(time) for time in times)


def test_a_result_of_other_chips_is_refused():
    result = tune(chain_chips(seed=0), INPUTS, QUICK)
    with pytest.raises(ProgramError, match="calibrate these chips"):
        chain_chips(seed=1).with_calibration(result)
