"""Calibration finds what is there, helps where it says so, and changes nothing where nothing is wrong."""

import pytest
import torch

from crossloom.calibration import (
    Calibration,
    CalibrationConfig,
    calibrate,
    measure_errors,
    plan_calibration,
)
from crossloom.errors import ConfigError, DataError, ProgramError, RunError
from crossloom.hardware import Backend
from crossloom.mapping import MappingConfig
from crossloom.programming import DirectSet, ProgrammedChips, advance, attach
from crossloom.runtime import run
from crossloom.spec import load_system
from crossloom.windows import Window
from flows import CELL, MACRO, noisy_system, normal, program_graph
from small_graphs import attention_like_graph, chain_graph, convolution_graph, linear_graph

CHAIN = chain_graph(normal(10, 20, seed=1), normal(4, 10, seed=2))
DATA = normal(64, 20, seed=3)
TEST = normal(200, 20, seed=4)
EVERYTHING = CalibrationConfig(ranges="mse", drift="layer", channels=True, num_samples=64)
CONVERTERS = {"offset": 1.0, "gain_error": 0.05}
IMAGES = normal(24, 3, 6, 6)
CASES = {
    "linear": (CHAIN, DATA, MappingConfig()),
    "two copies": (CHAIN, DATA, MappingConfig(copies=2)),
    "several tiles a column": (linear_graph(normal(40, 90)), normal(64, 90, seed=3), MappingConfig()),
    "convolution": (
        convolution_graph(normal(4, 3, 3, 3, seed=5), (6, 6), Window((3, 3), (1, 1), (1, 1), (1, 1)), 1),
        IMAGES,
        MappingConfig(),
    ),
    "tokens along the first axis": (
        attention_like_graph(normal(8, 6), normal(3, 8, seed=1), 5),
        normal(40, 5, 6, seed=2),
        MappingConfig(),
    ),
}


def drifting_system(exponent: float, **readout):
    """Ideal cells but for a drift of one exponent for all."""
    line = {"slope": 0.0, "intercept": exponent, "low": exponent, "high": exponent}
    spread = {"slope": 0.0, "intercept": 0.0, "low": 0.0, "high": 0.0}
    drift = {"mean": line, "spread": spread, "reference_time": 1.0, "scale": 1e-4}
    return noisy_system({f"{MACRO}.readout": {"bits": 12, **readout}}, drift=drift)


def error(chips: ProgrammedChips, inputs: torch.Tensor) -> float:
    exact = run(chips, inputs, mode="integer", probe_samples=0).outputs
    answered = run(chips, inputs, probe_samples=0).outputs
    return ((answered - exact).square().sum() / exact.square().sum()).item()


@pytest.mark.parametrize("case", CASES)
def test_converters_with_gain_and_offset_errors_are_made_good(case):
    """Errors of layers shrink at least fourfold, and those of outputs on samples never seen, where rounding of
    inputs adds to them, at least twofold (seed 0; 8-bit converters)."""
    graph, data, mapping = CASES[case]
    chips = program_graph(graph, data, noisy_system(readout=CONVERTERS), mapping, strategy=DirectSet())
    calibration = calibrate(chips, data)
    for name, before in calibration.errors_before.items():
        assert calibration.errors_after[name] < before / 4
    fresh = normal(*data.shape, seed=9)
    assert error(chips.with_calibration(calibration), fresh) < error(chips, fresh) / 2


def test_gains_and_offsets_of_converters_are_recovered_within_their_errors():
    """512 vectors; of 16 gains and 16 offsets at least 85 % within two standard errors, all within a tenth of the
    largest."""
    graph = linear_graph(normal(32, 30))
    system = noisy_system({f"{CELL}.num_levels": None, f"{MACRO}.readout": {"bits": 10, **CONVERTERS}})
    chips = program_graph(graph, normal(64, 30), system, strategy=DirectSet(), seed=5)
    tile = chips.placement.mapped.tiles[0]
    state = chips.backend.to_state().macros[chips.placement.sites[0].address]
    found = calibrate(chips, normal(700, 30, seed=7), CalibrationConfig(num_samples=700)).corrections
    line = found.layers["layer"].tiles[0]
    scheme = chips.placement.mapped.schemes["layer"]
    width = scheme.columns_per_output
    gain = state.gain[: tile.num_columns : width]
    scale = system.macro.gain(tile.integration_time, scheme.level_step)
    offset = -state.offset[: tile.num_columns : width] / scale / gain
    misses = torch.cat([(line.gain - 1 / gain) / line.gain_error, (line.offset - offset) / line.offset_error])
    assert (misses.abs() < 2).double().mean() > 0.85
    assert (line.gain - 1 / gain).abs().max() < 0.1 * (1 - 1 / gain).abs().max()
    assert (line.offset - offset).abs().max() < 0.1 * offset.abs().max()


@pytest.mark.parametrize("config", [CalibrationConfig(), EVERYTHING], ids=["columns", "everything"])
@pytest.mark.parametrize("case", [name for name in CASES if name != "convolution"])
def test_on_exact_chips_gains_times_and_drift_change_nothing(case, config):
    graph, data, mapping = CASES[case]
    chips = program_graph(graph, data, load_system("ideal"), mapping)
    calibration = calibrate(chips, data, config.replace(channels=False))
    assert calibration.fits == ()
    assert set(calibration.errors_after.values()) == {0.0}
    before, after = run(chips, data).outputs, run(chips.with_calibration(calibration), data).outputs
    assert torch.equal(before, after)


@pytest.mark.parametrize("scope", ["layer", "system"])
@pytest.mark.parametrize("exponent", [0.05, 0.1])
def test_drift_of_a_known_exponent_is_compensated(scope, exponent):
    """Cells that all drift as t^-v are scaled by t^v: within 1 %, that is the rounding of 12-bit converters."""
    chips = advance(program_graph(CHAIN, DATA, drifting_system(exponent)), 1e6)
    calibration = calibrate(chips, DATA, CalibrationConfig(drift=scope, columns=False))
    for layer in calibration.corrections.layers.values():
        assert layer.scale is not None
        torch.testing.assert_close(
            layer.scale, torch.full_like(layer.scale, 1e6**exponent), rtol=0.01, atol=0
        )
    sizes = [run(one, TEST).outputs.abs().mean() for one in (chips, chips.with_calibration(calibration))]
    exact = run(chips, TEST, mode="integer").outputs.abs().mean()
    assert sizes[0] < 0.6 * exact
    assert sizes[1] == pytest.approx(exact.item(), rel=0.02)


def test_a_fit_that_does_not_help_is_not_applied_and_says_so():
    """Two samples to fit with and read noise alone: whatever is found, what was held out is never worse."""
    system = noisy_system(readout={"bits": 6}, read_noise=1e-5)
    worse = 0
    for seed in range(4):
        chips = program_graph(CHAIN, DATA, system, seed=seed)
        config = EVERYTHING.replace(num_samples=6, num_vectors=8, seed=seed)
        calibration = calibrate(chips, normal(6, 20, seed=seed), config)
        for fit in calibration.fits:
            assert fit.is_applied == (fit.after < fit.before)
            worse += not fit.is_applied
        for name, before in calibration.errors_before.items():
            assert calibration.errors_after[name] <= before
        assert calibration.summary().count("not applied") == sum(not f.is_applied for f in calibration.fits)
    assert worse > 0


def test_noise_alone_makes_no_difference_between_columns():
    """Cells that are only read with noise, 9 vectors: least squares alone would spread gains by their errors."""
    chips = program_graph(CHAIN, DATA, noisy_system(readout={"bits": 10}, read_noise=1e-5))
    calibration = calibrate(chips, DATA, CalibrationConfig(num_vectors=12))
    gains = [
        (tile.gain.std(), tile.gain_error.mean())
        for layer in calibration.corrections.layers.values()
        for tile in layer.tiles.values()
    ]
    assert gains
    assert all(spread < 0.5 * expected for spread, expected in gains)


@pytest.mark.parametrize("method", ["max", "percentile", "three_sigma", "mse"])
def test_integration_times_follow_chips_that_have_drifted(method):
    """Sums that shrank to a third of their size get a converter range about a third as wide."""
    system = drifting_system(0.08, bits=5)
    chips = advance(program_graph(CHAIN, DATA, system), 1e6)
    config = CalibrationConfig(ranges=method, drift="layer", columns=False)
    calibration = calibrate(chips, DATA, config)
    tiles = chips.placement.mapped.tiles
    grown = [
        layer.tiles[number].integration_time / tiles[number].integration_time
        for layer in calibration.corrections.layers.values()
        for number in layer.tiles
    ]
    assert grown
    assert all(1.3 < ratio < 6 for ratio in grown)
    only = calibrate(chips, DATA, config.replace(ranges=None))
    assert sum(calibration.errors_after.values()) < sum(only.errors_after.values())


def test_times_that_the_mapping_names_stay():
    mapping = MappingConfig(integration_time=0.01)
    chips = program_graph(CHAIN, DATA, drifting_system(0.05, bits=5), mapping)
    calibration = calibrate(advance(chips, 1e6), DATA, CalibrationConfig(ranges="mse"))
    found = calibration.corrections.layers.values()
    assert all(tile.integration_time is None for layer in found for tile in layer.tiles.values())


def test_calibrated_chips_saved_and_loaded_answer_alike(tmp_path):
    chips = program_graph(CHAIN, DATA, noisy_system(readout=CONVERTERS, programming_error=2e-6))
    calibration = calibrate(chips, DATA, EVERYTHING)
    calibration.save(tmp_path / "calibration.xloom")
    loaded = Calibration.load(tmp_path / "calibration.xloom")
    assert loaded.summary() == calibration.summary()
    calibrated = chips.with_calibration(loaded)
    calibrated.save(tmp_path / "chips.xloom")
    again = ProgrammedChips.load(tmp_path / "chips.xloom")
    assert torch.equal(run(again, TEST).outputs, run(calibrated, TEST).outputs)
    assert not torch.equal(run(again, TEST).outputs, run(chips, TEST).outputs)
    assert torch.equal(run(again.with_calibration(None), TEST).outputs, run(chips, TEST).outputs)
    assert "2 layers calibrated" in again.summary()


def test_a_calibration_for_another_placement_is_refused_by_name():
    system = noisy_system(readout=CONVERTERS)
    chips = program_graph(CHAIN, DATA, system)
    other = program_graph(chain_graph(normal(10, 20, seed=8), normal(4, 10, seed=2)), DATA, system)
    calibration = calibrate(chips, DATA)
    with pytest.raises(ProgramError, match=rf"placement {other.digests[0]} on ideal; calibrate these chips"):
        other.with_calibration(calibration)


def test_a_calibration_for_other_chips_is_refused_by_name():
    system = noisy_system(readout=CONVERTERS, programming_error=1e-6)
    chips, other = (program_graph(CHAIN, DATA, system, seed=seed) for seed in (0, 1))
    calibration = calibrate(chips, DATA)
    with pytest.raises(ProgramError, match=rf"these are chips {other.digests[1]} with the same placement"):
        other.with_calibration(calibration)


def test_a_calibration_stays_good_for_its_chips_as_they_age():
    chips = program_graph(CHAIN, DATA, drifting_system(0.05))
    aged = advance(chips.with_calibration(calibrate(chips, DATA)), 100.0)
    assert aged.corrections is not None
    aged.with_calibration(calibrate(chips, DATA))


def test_nothing_touches_the_chips_before_a_plan_is_carried_out():
    chips = program_graph(CHAIN, DATA, noisy_system(readout=CONVERTERS))
    counting = Counting(chips.backend)
    plan = plan_calibration(attach(chips.placement, counting), DATA, EVERYTHING)
    assert counting.num_mvms == 0
    assert f"{plan.num_mvms:,} MVMs" in plan.summary()
    assert "layer2: 1 tiles" in plan.summary()


@pytest.mark.parametrize(
    "config",
    [
        CalibrationConfig(),
        CalibrationConfig(drift="system", num_vectors=16),
        CalibrationConfig(ranges="mse"),
        CalibrationConfig(ranges="max"),
        EVERYTHING,
    ],
    ids=["columns", "drift", "mse", "max", "everything"],
)
@pytest.mark.parametrize("case", CASES)
def test_a_plan_says_how_many_mvms_it_takes(case, config):
    graph, data, mapping = CASES[case]
    chips = program_graph(graph, data, noisy_system(readout=CONVERTERS), mapping)
    counting = Counting(chips.backend)
    calibration = calibrate(attach(chips.placement, counting), data, config)
    assert calibration.num_mvms == counting.num_mvms
    measured = measure_errors(attach(chips.placement, counting), data, config)
    assert calibration.num_mvms + measured.num_mvms == counting.num_mvms


def test_a_layer_left_digital_is_left_out():
    chips = program_graph(CHAIN, DATA, noisy_system(readout=CONVERTERS), MappingConfig(digital=("layer2",)))
    calibration = calibrate(chips, DATA, EVERYTHING)
    assert set(calibration.errors_before) == {"layer1"}
    assert error(chips.with_calibration(calibration), TEST) < error(chips, TEST)


def test_chips_that_are_calibrated_already_are_measured_bare():
    chips = program_graph(CHAIN, DATA, noisy_system(readout=CONVERTERS))
    first = calibrate(chips, DATA)
    again = calibrate(chips.with_calibration(first), DATA)
    assert again.errors_before == first.errors_before
    assert measure_errors(chips.with_calibration(first), DATA).of_layers == first.errors_after


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (DATA[:1], "at least 2 samples, some to fit with and some to judge the fit, got 1"),
        (torch.zeros(0, 20), "at least 2 samples"),
        ("digits", "a tensor, or a tuple of tensors, got a str"),
        ((DATA, torch.zeros(3, 2)), r"same number of samples, got \[64, 3\]"),
        (torch.zeros(8, 21), "x"),
        (torch.full((8, 20), float("nan")), "finite"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_any_mvm(data, message):
    chips = program_graph(CHAIN, DATA, noisy_system())
    counting = Counting(chips.backend)
    with pytest.raises(DataError, match=message):
        calibrate(attach(chips.placement, counting), data)
    assert counting.num_mvms == 0


def test_what_are_no_chips_is_refused():
    chips = program_graph(CHAIN, DATA, noisy_system())
    with pytest.raises(RunError, match="program them first"):
        calibrate(chips.placement, DATA)


@pytest.mark.parametrize(
    "choice", [{"ranges": "minmax"}, {"held_out": 1.0}, {"num_samples": 1}, {"drift": "tile"}]
)
def test_impossible_choices_are_refused(choice):
    with pytest.raises(ConfigError, match=next(iter(choice))):
        CalibrationConfig(**choice)


class Counting(Backend):
    """Chips behind a counter of MVMs: nothing but the line."""

    def __init__(self, inner: Backend) -> None:
        self._inner, self.num_mvms = inner, 0

    @property
    def spec(self):
        return self._inner.spec

    def pulse(self, *args, **kwargs):
        raise AssertionError("calibration must not pulse")

    def read(self, *args):
        raise AssertionError("calibration must not read cells")

    def mvm(self, command, codes, draw, count_codes=False):
        self.num_mvms += codes.num_vectors
        return self._inner.mvm(command, codes, draw, count_codes)
