"""A recorded session plays back what was said, and refuses everything else."""

import hashlib

import pytest
import torch

from crossloom.backends import Exchange, RecordedBackend, Recording, RecordingBackend, SimulatedBackend
from crossloom.errors import BackendError
from crossloom.hardware import DenseCodes, Draw, InputFormat, MvmCommand, Region, WindowedCodes, Wiring
from crossloom.programming import WriteVerify, program
from crossloom.runtime import run
from crossloom.spec import MacroAddress, MultiLevel
from crossloom.windows import Window
from flows import CELL, noisy_system, normal, place_graph
from small_graphs import chain_graph

FIRST, REGION = MacroAddress(0, 0, 0), Region(0, 0, 4, 4)
SYSTEM = noisy_system(programming_error=1e-6, read_noise=1e-6)


def session():
    inputs = normal(10, 12)
    placement = place_graph(chain_graph(normal(6, 12, seed=1), normal(3, 6, seed=2)), inputs, SYSTEM)
    recording_backend = RecordingBackend(SimulatedBackend(SYSTEM))
    chips = program(placement, recording_backend, WriteVerify(max_pulses=5))
    return placement, inputs, chips, run(chips, inputs), recording_backend.recording()


def test_a_session_of_programming_and_running_replays_exactly(tmp_path):
    placement, inputs, chips, result, recording = session()
    recording.save(tmp_path / "session")
    backend = RecordedBackend(Recording.load(tmp_path / "session"))
    again = program(placement, backend, WriteVerify(max_pulses=5))
    replayed = run(again, inputs)
    assert backend.is_finished
    assert torch.equal(replayed.outputs, result.outputs)
    assert replayed.quality[0].signal_power == result.quality[0].signal_power
    assert replayed.counts == result.counts
    assert again.report.num_pulses == chips.report.num_pulses > 0
    assert all(
        torch.equal(a.error, b.error) for a, b in zip(again.report.tiles, chips.report.tiles, strict=True)
    )


def test_a_recording_is_what_the_chips_do_without_one():
    placement, inputs, _, result, _ = session()
    chips = program(placement, SimulatedBackend(SYSTEM), WriteVerify(max_pulses=5))
    assert torch.equal(run(chips, inputs).outputs, result.outputs)


def test_other_inputs_are_refused():
    placement, inputs, _, _, recording = session()
    chips = program(placement, RecordedBackend(recording), WriteVerify(max_pulses=5))
    with pytest.raises(BackendError, match="with other values"):
        run(chips, inputs + 1)


def test_other_strategies_are_refused():
    placement, _, _, _, recording = session()
    with pytest.raises(BackendError, match=r"call \d+"):
        program(placement, RecordedBackend(recording), WriteVerify(tolerance=1e-8, max_pulses=5))


def recorded(*asks) -> RecordedBackend:
    backend = RecordingBackend(SimulatedBackend(SYSTEM))
    for ask in asks:
        ask(backend)
    return RecordedBackend(backend.recording())


def test_more_calls_than_were_recorded_are_refused():
    backend = recorded(lambda chips: chips.read(FIRST, REGION))
    backend.read(FIRST, REGION)
    assert backend.is_finished
    with pytest.raises(BackendError, match="ends after 1 calls"):
        backend.read(FIRST, REGION)


@pytest.mark.parametrize(
    "ask",
    [
        lambda chips: chips.read(FIRST, Region(0, 0, 4, 5)),
        lambda chips: chips.read(MacroAddress(1, 0, 0), REGION),
        lambda chips: chips.pulse(FIRST, REGION, torch.zeros(4, 4)),
        lambda chips: chips.set(FIRST, REGION, torch.zeros(4, 4)),
        lambda chips: chips.wait(1.0),
    ],
)
def test_calls_other_than_the_recorded_one_are_refused(ask):
    backend = recorded(lambda chips: chips.read(FIRST, REGION))
    with pytest.raises(BackendError, match="recorded was read"):
        ask(backend)
    assert torch.equal(backend.read(FIRST, REGION), SimulatedBackend(SYSTEM).read(FIRST, REGION))


@pytest.mark.parametrize("change", ["window", "samples", "draw", "time", "dtype"])
def test_an_mvm_that_differs_in_anything_is_refused(change):
    images = torch.ones(2, 1, 4, 4)
    inputs = InputFormat(MultiLevel(), 4, True)
    asked = {"window": Window((2, 2), (1, 1), (0, 0), (1, 1)), "samples": 2, "draw": Draw(0), "time": 1.0}
    other = {"window": Window((2, 2), (2, 2), (0, 0), (1, 1)), "samples": 1, "draw": Draw(1), "time": 0.5}

    def multiply(chips, values=images, **what):
        command = MvmCommand(FIRST, REGION, inputs, Wiring("columns"), what["time"], 1e-5)
        return chips.mvm(command, WindowedCodes(values, what["samples"], what["window"]), what["draw"])

    backend = recorded(lambda chips: multiply(chips, **asked))
    values = images.double() if change == "dtype" else images
    changed = asked | {name: other[name] for name in (change,) if name in other}
    with pytest.raises(BackendError, match="recorded was mvm"):
        multiply(backend, values, **changed)
    multiply(backend, **asked)


def test_sessions_from_before_pulses_had_voltages_play_back():
    """The fingerprint of widths alone, as version 0.1 before 2026-11-22 wrote it: blake2b of dtype, shape, bytes."""
    widths = torch.full((4, 4), 2e-7, dtype=torch.float64)
    digest = hashlib.blake2b(digest_size=16)
    digest.update(b"torch.float64(4, 4)" + widths.numpy().tobytes())
    exchange = Exchange("pulse", f"{FIRST} {REGION}", digest.hexdigest(), None)
    backend = RecordedBackend(Recording(SYSTEM, (exchange, exchange)))
    backend.pulse(FIRST, REGION, widths)
    backend.pulse(FIRST, REGION, widths, None)
    assert backend.is_finished


def test_pulses_of_other_voltages_are_refused():
    spec = noisy_system(
        {
            f"{CELL}.pulse": {
                "width": 1e-7,
                "step": 5e-7,
                "max_width": 1e-5,
                "voltage": 1.0,
                "voltage_scale": 0.2,
            }
        }
    )
    recorder = RecordingBackend(SimulatedBackend(spec))
    widths, voltages = torch.full((4, 4), 2e-7), torch.full((4, 4), 0.9)
    recorder.pulse(FIRST, REGION, widths, voltages)
    for other in (None, 0.5 * voltages):
        with pytest.raises(BackendError, match="with other values"):
            RecordedBackend(recorder.recording()).pulse(FIRST, REGION, widths, other)
    RecordedBackend(recorder.recording()).pulse(FIRST, REGION, widths, voltages)


def test_what_a_caller_does_to_an_answer_leaves_the_recording_as_it_was():
    recording_backend = RecordingBackend(SimulatedBackend(SYSTEM))
    command = MvmCommand(FIRST, REGION, InputFormat(MultiLevel(), 4, True), Wiring("columns"), 1.0, 1e-5)
    codes = DenseCodes(torch.ones(3, 4), 3)
    first, sums = recording_backend.read(FIRST, REGION), recording_backend.mvm(command, codes, Draw(0)).sums
    kept = first.clone(), sums.clone()
    first.zero_()
    sums.fill_(99)
    for _ in range(2):
        backend = RecordedBackend(recording_backend.recording())
        answer, played = backend.read(FIRST, REGION), backend.mvm(command, codes, Draw(0)).sums
        assert torch.equal(answer, kept[0])
        assert torch.equal(played, kept[1])
        answer.zero_()
        played.zero_()


def test_a_refused_call_is_not_recorded():
    backend = RecordingBackend(SimulatedBackend(SYSTEM))
    with pytest.raises(BackendError):
        backend.read(MacroAddress(99, 0, 0), REGION)
    assert backend.recording().exchanges == ()
