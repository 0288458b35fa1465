"""Chips that do not fit in memory are the same chips: their slow twin are those that are kept."""

from itertools import pairwise

import pytest
import torch

from crossloom.backends import MockBackend, SimulatedBackend
from crossloom.calibration import CalibrationConfig, calibrate
from crossloom.errors import BackendError, ConfigError, ProgramError
from crossloom.hardware import Region
from crossloom.programming import (
    DirectSet,
    GradientProgramming,
    ProgrammedChips,
    ProgramTwice,
    Strategy,
    StreamedBackend,
    Vipi,
    WriteVerify,
    advance,
    program,
    refresh,
    region_of,
)
from crossloom.runtime import RunResult, run
from crossloom.units import format_bytes
from flows import MACRO, noisy_system, normal, place_graph
from small_graphs import chain_graph

INPUTS = normal(40, 60)
SIZES = (60,) * 8 + (4,)
GRAPH = chain_graph(
    *(normal(out, size, seed=number) / 8 for number, (size, out) in enumerate(pairwise(SIZES)))
)
DEVICE = {
    "programming_error": 5e-7,
    "read_noise": 3e-7,
    "stuck_low": 0.01,
    "variation": 0.02,
    "settling_time": 1e3,
}
SYSTEM = noisy_system(readout={"offset": 0.5, "gain_error": 0.01}, **DEVICE)
PLACEMENT = place_graph(GRAPH, INPUTS, SYSTEM)
QUICK = WriteVerify(tolerance=1e-6, max_pulses=4)
LITTLE = 1_150_000  # bytes: about half of the macros


def kept(strategy: Strategy = QUICK, seed: int = 3) -> ProgrammedChips:
    return program(PLACEMENT, SimulatedBackend(SYSTEM, seed), strategy)


def streamed(strategy: Strategy = QUICK, seed: int = 3, memory: int | str = LITTLE) -> ProgrammedChips:
    return program(PLACEMENT, SimulatedBackend(SYSTEM, seed), strategy, memory=memory)


def answers(chips: ProgrammedChips, **choices) -> torch.Tensor:
    outputs = run(chips, INPUTS, **choices).outputs
    assert isinstance(outputs, torch.Tensor)
    return outputs


def in_memory(chips: ProgrammedChips) -> int:
    assert isinstance(chips.backend, StreamedBackend)
    return chips.backend.num_bytes


def assert_same(one: ProgrammedChips, other: ProgrammedChips) -> None:
    assert torch.equal(answers(one, batch_size=40), answers(other, batch_size=40))


@pytest.mark.parametrize(
    "strategy",
    [
        DirectSet(),
        QUICK,
        ProgramTwice(QUICK, rounds=2),
        Vipi(max_pulses=6),
        GradientProgramming(max_pulses=3, start=QUICK),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_chips_in_little_memory_answer_as_those_that_are_kept(strategy):
    twin, chips = kept(strategy), streamed(strategy)
    for seed in (0, 1):  # in the second run some macros are there already, and others have to go
        result = run(chips, INPUTS, batch_size=16, seed=seed)
        assert torch.equal(result.outputs, run(twin, INPUTS, batch_size=16, seed=seed).outputs)
    assert not torch.equal(answers(chips), answers(streamed(strategy, seed=4)))


def test_the_macros_in_memory_never_take_more_than_they_may():
    chips = streamed(memory=LITTLE)
    backend = chips.backend
    assert isinstance(backend, StreamedBackend)
    sizes: list[int] = []
    multiply = backend.mvm_many

    def watch(*args, **kwargs):
        answered = multiply(*args, **kwargs)
        sizes.append(backend.num_bytes)
        return answered

    backend.mvm_many = watch
    answers(chips)
    assert 0 < max(sizes) <= LITTLE
    plenty = streamed(memory="1 GiB")
    answers(plenty)
    assert in_memory(plenty) > LITTLE  # so that something had to go


def test_the_report_is_that_of_chips_that_are_kept():
    one, other = kept().report, streamed().report
    assert one is not None
    assert other is not None
    assert one.summary() == other.summary()
    assert one.totals == other.totals
    for tile, again in zip(one.tiles, other.tiles, strict=True):
        assert tile.tile == again.tile
        assert torch.equal(tile.pulses, again.pulses)
        assert torch.equal(tile.error, again.error)
    numbers = PLACEMENT.mapped.tiles_of["layer2"]
    assert list(other.of(numbers)) == sorted(other.of(numbers), key=list(one.of(range(999))).index)
    assert torch.equal(one.of(numbers)[numbers[0]].error, other.of(numbers)[numbers[0]].error)


def test_time_reads_and_refreshes_change_macros_that_are_not_in_memory_too():
    found = []
    for chips in (kept(), streamed()):
        place = PLACEMENT.sites[3].address, region_of(PLACEMENT, 3)
        first = chips.backend.read(*place)
        chips = advance(chips, 100.0)
        chips.backend.read(*place)
        later = advance(chips, 1e4)
        again = refresh(later, QUICK)
        found.append([first, later.backend.read(*place), answers(later), answers(again), answers(chips)])
        assert again.report is not None
        found[-1].append(torch.tensor(again.report.num_pulses))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(found[0][2], found[0][4])


def test_chips_that_were_programmed_in_memory_can_be_written_again_out_of_it():
    before = kept()
    one, other = refresh(before, QUICK), program(PLACEMENT, before.backend, QUICK, memory=LITTLE)
    assert_same(one, other)
    assert_same(before, kept())  # they were left alone


def test_chips_without_read_noise_are_the_same_chips():
    one, other = kept(), streamed()
    quiet, twin = other.backend.quiet(), one.backend.quiet()
    place = PLACEMENT.sites[0].address, region_of(PLACEMENT, 0)
    assert torch.equal(quiet.read(*place), twin.read(*place))
    assert torch.equal(quiet.read(*place), quiet.read(*place))
    with pytest.raises(ProgramError, match="without noise"):
        program(PLACEMENT, quiet)


def test_a_calibration_fits_both():
    config = CalibrationConfig(columns=True)
    twin, chips = kept(), streamed()
    assert twin.digests == chips.digests
    found = calibrate(chips, INPUTS, config)
    assert_same(twin.with_calibration(calibrate(twin, INPUTS, config)), chips.with_calibration(found))
    assert_same(twin.with_calibration(found), chips.with_calibration(found))


def test_saved_chips_are_their_past(tmp_path):
    chips, twin = advance(streamed(ProgramTwice(QUICK)), 50.0), advance(kept(ProgramTwice(QUICK)), 50.0)
    chips.save(tmp_path / "streamed.xloom")
    twin.save(tmp_path / "kept.xloom")
    again = ProgrammedChips.load(tmp_path / "streamed.xloom")
    assert again.report is not None
    assert twin.report is not None
    assert torch.equal(again.report.tiles[1].error, twin.report.tiles[1].error)
    assert again.summary() == chips.summary()
    assert_same(twin, again)
    assert (tmp_path / "streamed.xloom").stat().st_size < (tmp_path / "kept.xloom").stat().st_size / 4


def test_too_little_memory_is_refused_with_the_least_that_will_do():
    with pytest.raises(
        ConfigError, match=r"memory: need at least (\d+) bytes \(.*\), which macros of layer"
    ) as error:
        streamed(memory=1000)
    least = int(str(error.value).split("at least ")[1].split(" ")[0])
    assert format_bytes(least) in str(error.value)
    with pytest.raises(ConfigError, match="need at least"):
        streamed(memory=least - 1)
    assert_same(kept(), streamed(memory=least))


def test_a_size_that_is_none_is_refused():
    for size in (0, "lots", "-1 GiB", 2.5):
        with pytest.raises(ConfigError, match="number of bytes"):
            streamed(memory=size)  # type: ignore[arg-type]


def test_backends_whose_macros_cannot_be_made_again_are_refused():
    with pytest.raises(ProgramError, match="MockBackend cannot be made again"):
        program(PLACEMENT, MockBackend(SYSTEM), DirectSet(), memory=LITTLE)
    dac = {f"{MACRO}.dac.read_voltage": 0.2, f"{MACRO}.dac.cycle_time": 1e-7}
    disturbed = noisy_system(dac, read_disturb={"voltage": 0.2, "factor": 1.0, "exponent": 0.01})
    placement = place_graph(GRAPH, INPUTS, disturbed)
    with pytest.raises(BackendError, match="disturbed by reads"):
        program(placement, SimulatedBackend(disturbed), memory=LITTLE)


def test_single_cells_cannot_be_pulsed():
    with pytest.raises(BackendError, match="program"):
        streamed().backend.pulse(PLACEMENT.sites[0].address, Region(0, 0, 1, 1), torch.zeros(1, 1))


def test_results_do_not_depend_on_what_was_asked_before():
    """The order in which macros are made and dropped leaves no trace."""
    one, other = streamed(), streamed()
    run(one, INPUTS[:3], stop_at="layer3", probe_samples=0)
    run(one, INPUTS[:8], batch_size=2)
    result: RunResult = run(other, INPUTS)
    assert torch.equal(answers(one), result.outputs)
