"""Strategies over `pulse` and `read`: each keeps its tolerance, counts what it does, and refuses what cannot be."""

import pytest
import torch

from crossloom.backends import MockBackend, SimulatedBackend
from crossloom.errors import BackendError, ConfigError, ProgramError
from crossloom.hardware import Backend, Region
from crossloom.programming import DirectSet, IncrementalStep, ProgramTwice, Vipi, WriteVerify, program
from crossloom.spec import MacroAddress
from flows import CELL, noisy_system, normal, place_graph
from small_graphs import chain_graph

FIRST, REGION = MacroAddress(0, 0, 0), Region(0, 0, 30, 20)
PULSE = {
    "width": 1e-7,
    "step": 5e-7,
    "max_width": 1e-5,
    "voltage": 1.2,
    "max_voltage": 2.4,
    "voltage_scale": 0.3,
}
STRATEGIES = [WriteVerify, IncrementalStep, Vipi]


def system(overrides=None, pulse=None, **device):
    fields = {name: value for name, value in {**PULSE, **(pulse or {})}.items() if value is not None}
    return noisy_system({f"{CELL}.pulse": fields, **(overrides or {})}, **device)


def targets() -> torch.Tensor:
    return 1e-6 + 9e-5 * torch.rand(30, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Watching(Backend):
    """Passes everything on, and keeps the pulses and the reads."""

    def __init__(self, chips):
        self.chips, self.pulses, self.reads = chips, [], []

    @property
    def spec(self):
        return self.chips.spec

    def pulse(self, address, region, widths, voltages=None):
        self.pulses.append((widths.clone(), None if voltages is None else voltages.clone()))
        self.chips.pulse(address, region, widths, voltages)

    def read(self, address, region):
        self.reads.append(self.chips.read(address, region))
        return self.reads[-1]

    def mvm(self, command, codes, draw, count_codes=False):
        return self.chips.mvm(command, codes, draw, count_codes)

    def wait(self, elapsed):
        self.chips.wait(elapsed)


@pytest.mark.parametrize("kind", STRATEGIES)
@pytest.mark.parametrize("spread", [0.0, 0.3, 0.8])
def test_cells_end_within_the_tolerance(kind, spread):
    backend = SimulatedBackend(system(pulse_spread=spread))
    written = kind(tolerance=1e-6, max_pulses=200).write(backend, FIRST, REGION, targets())
    assert not written.failed.any()
    assert ((backend.conductance(FIRST, REGION) - targets()).abs() <= 1e-6).all()


@pytest.mark.parametrize("kind", STRATEGIES)
def test_what_is_reported_is_what_crossed_the_line(kind):
    backend = Watching(SimulatedBackend(system(read_noise=3e-7)))
    written = kind(max_pulses=12, keep_trajectory=True).write(backend, FIRST, REGION, targets())
    widths = torch.stack([widths for widths, _ in backend.pulses])
    assert torch.equal(written.pulses, (widths != 0).sum(0, dtype=torch.int32))
    assert written.pulses.max() > 1
    torch.testing.assert_close(written.write_time, widths.abs().sum(0).float())
    nominal = torch.full((30, 20), 1.2, dtype=torch.float64)
    voltages = torch.stack([nominal if used is None else used for _, used in backend.pulses])
    reads = torch.stack(backend.reads)
    energy = (widths.abs() * voltages.square() * reads[:-1].clamp(min=0)).sum(0)
    torch.testing.assert_close(written.energy, energy.float())
    assert written.num_reads == len(reads) == len(widths) + 1
    torch.testing.assert_close(written.trajectory, reads.float())
    assert torch.equal(written.failed, (reads[-1] - targets()).abs() > 1e-6)


@pytest.mark.parametrize("kind", STRATEGIES)
def test_pulses_go_only_to_cells_that_missed(kind):
    backend = Watching(SimulatedBackend(system(read_noise=3e-7)))
    kind(max_pulses=8).write(backend, FIRST, REGION, targets())
    for (widths, _), measured in zip(backend.pulses, backend.reads[:-1], strict=True):
        error = targets() - measured
        assert torch.equal(widths != 0, error.abs() > 1e-6)
        assert (widths * error >= 0).all()


def test_where_no_voltage_is_known_no_energy_is_reported():
    backend = SimulatedBackend(system(pulse={"voltage": None, "max_voltage": None, "voltage_scale": None}))
    written = WriteVerify().write(backend, FIRST, REGION, targets())
    assert written.energy is None
    assert written.trajectory is None
    assert written.write_time.sum() > 0


def test_incremental_steps_climb_until_the_target_is_passed_and_then_start_anew():
    backend = Watching(SimulatedBackend(system()))
    IncrementalStep(start_voltage=1.0, voltage_step=0.1, max_pulses=60).write(
        backend, FIRST, REGION, targets()
    )
    widths = torch.stack([widths for widths, _ in backend.pulses])
    voltages = torch.stack([used for _, used in backend.pulses])
    assert ((widths.abs() - 1e-7).abs() < 1e-20)[widths != 0].all()
    num_turns = num_climbs = 0
    for row, column in [(i, j) for i in range(0, 30, 3) for j in range(20)]:
        wide, used = widths[:, row, column], voltages[:, row, column]
        last = None
        for width, voltage in zip(wide[wide != 0].tolist(), used[wide != 0].tolist(), strict=True):
            if last is None or last[0] != width:
                assert voltage == pytest.approx(1.0)
                num_turns += last is not None
            else:
                assert voltage == pytest.approx(min(last[1] + 0.1, 2.4))
                num_climbs += 1
            last = (width, voltage)
    assert num_turns > 50
    assert num_climbs > 1000


def test_incremental_steps_reach_cells_that_hardly_answer_the_nominal_voltage():
    """A nominal pulse moves cells by 0.25 nS here: 80 uS would take 320,000 of them."""
    backend = SimulatedBackend(system(pulse={"step": 2.5e-10, "voltage_scale": 0.08}))
    written = IncrementalStep(max_pulses=150).write(backend, FIRST, REGION, targets())
    assert written.failed.double().mean() < 0.02
    backend = SimulatedBackend(system(pulse={"step": 2.5e-10, "voltage_scale": 0.08}))
    assert WriteVerify(max_pulses=150).write(backend, FIRST, REGION, targets()).failed.double().mean() > 0.9


class Stubborn(MockBackend):
    """Cells that ignore pulses below a threshold voltage."""

    threshold = 1.5

    def pulse(self, address, region, widths, voltages=None):
        used = torch.full_like(widths, 1.2) if voltages is None else voltages
        super().pulse(address, region, widths * (used > self.threshold), None)


def test_vipi_raises_the_voltage_of_cells_that_do_not_respond():
    backend = Watching(Stubborn(system()))
    written = Vipi(voltage_step=0.2, patience=2).write(backend, FIRST, REGION, targets())
    assert not written.failed.any()
    levels = [used.max().item() for _, used in backend.pulses]
    assert levels[0] == pytest.approx(1.2)
    assert max(levels) == pytest.approx(1.6)
    flat = Stubborn(system(pulse={"max_voltage": None, "voltage_scale": None}))
    assert Vipi().write(flat, FIRST, REGION, targets()).failed.double().mean() > 0.9
    assert WriteVerify().write(Stubborn(system()), FIRST, REGION, targets()).failed.double().mean() > 0.9


def test_the_voltage_stays_nominal_where_cells_respond_and_where_there_is_no_range():
    backend = Watching(SimulatedBackend(system(pulse_spread=0.2)))
    Vipi(voltage_step=0.2).write(backend, FIRST, REGION, targets())
    voltages = torch.stack([used for _, used in backend.pulses])
    widths = torch.stack([widths for widths, _ in backend.pulses])
    assert (voltages[widths != 0] == 1.2).double().mean() > 0.99
    backend = Watching(SimulatedBackend(system(pulse={"max_voltage": None, "voltage_scale": None})))
    Vipi().write(backend, FIRST, REGION, targets())
    assert all(used is None for _, used in backend.pulses)


class Sluggish(MockBackend):
    """Cells that do a fifth of what they nominally do."""

    def pulse(self, address, region, widths, voltages=None):
        super().pulse(address, region, widths / 5, voltages)


def test_the_integral_speeds_up_cells_that_answer_too_little():
    pulses = []
    for strategy in (Vipi(proportional=1.0, integral=0.0), Vipi(proportional=1.0, integral=0.5)):
        flat = Sluggish(system(pulse={"max_voltage": None, "voltage_scale": None, "max_width": 1e-4}))
        written = strategy.write(flat, FIRST, REGION, targets())
        assert not written.failed.any()
        pulses.append(written.pulses.sum().item())
    assert pulses[1] < 0.8 * pulses[0]


class StuckAtFirst(MockBackend):
    """Cells that take no pulse for a while, and then answer as they should."""

    num_ignored = 20

    def pulse(self, address, region, widths, voltages=None):
        self.num_ignored -= 1
        super().pulse(address, region, widths * (self.num_ignored < 0), voltages)


def test_what_was_gathered_does_not_drive_cells_far_past_their_targets():
    """Twenty ignored pulses of an error of 80 uS add up to 1.6 mS, of which a pulse takes 0.3; clipped, to 2 uS."""
    flat = {"max_voltage": None, "voltage_scale": None, "max_width": 1e-3}
    wanted = torch.full((30, 20), 8e-5, dtype=torch.float64)
    highest = []
    for limit in (2.0, 2000.0):
        backend = Watching(StuckAtFirst(system(pulse=flat)))
        written = Vipi(integral_limit=limit).write(backend, FIRST, REGION, wanted)
        assert not written.failed.any()
        assert written.pulses.max() < 30
        highest.append(torch.stack(backend.reads).max().item())
    assert highest[0] < 8.3e-5
    assert highest[1] > 3e-4


def test_programming_twice_brings_back_what_drifted_out():
    backend = SimulatedBackend(noisy_system(programming_error=2e-6), seed=1)
    once = WriteVerify(tolerance=1e-6).write(backend, FIRST, REGION, targets())
    assert not once.failed.any()
    errors = []
    for rounds in (1, 4):
        backend = SimulatedBackend(noisy_system(programming_error=2e-6), seed=1)
        strategy = ProgramTwice(WriteVerify(tolerance=1e-6), rounds=rounds)
        written = strategy.write(backend, FIRST, REGION, targets())
        assert not written.failed.any()
        assert written.pulses.sum() > once.pulses.sum()
        assert written.num_reads > once.num_reads
        backend.wait(10.0)
        error = backend.conductance(FIRST, REGION) - targets()
        errors.append((error.abs() > 2e-6).double().mean().item())
    assert errors[1] < errors[0] / 1.5


def test_programming_twice_leaves_alone_what_stayed():
    backend = Watching(SimulatedBackend(noisy_system(programming_error=2e-6), seed=1))
    strategy = ProgramTwice(WriteVerify(tolerance=1e-6, keep_trajectory=True), tolerance=3e-6)
    written = strategy.write(backend, FIRST, REGION, targets())
    reads = torch.stack(backend.reads)
    torch.testing.assert_close(written.trajectory, reads.float())
    assert written.num_reads == len(reads)
    settled = [
        number
        for number in range(1, len(reads))
        if ((reads[number] - targets()).abs() > 3e-6).any()
        and ((reads[number - 1] - targets()).abs() <= 1e-6).all()
    ]
    drifted = (reads[settled[0]] - targets()).abs() > 3e-6
    later = torch.stack([widths for widths, _ in backend.pulses[settled[0] - 1 :]])
    assert 0 < drifted.sum() < 200
    assert not (later != 0)[:, ~drifted].any()
    assert (later != 0)[:, drifted].any(0).all()


def test_all_tiles_wait_together():
    spec = system(programming_error=1e-6)
    placement = place_graph(chain_graph(normal(10, 20, seed=1), normal(4, 10, seed=2)), normal(10, 20), spec)
    waits = []

    class Clock(SimulatedBackend):
        def wait(self, elapsed):
            waits.append(elapsed)
            super().wait(elapsed)

        def copy(self):
            return self

    chips = program(placement, Clock(spec), ProgramTwice(Vipi(), wait=3.0, rounds=2), settle=1.0)
    assert waits == [3.0, 3.0, 1.0]
    assert chips.report.strategy == "ProgramTwice"
    assert len(chips.report.tiles) == len(placement.sites) > 1


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: WriteVerify(tolerance=float("inf")), "tolerance"),
        (lambda: IncrementalStep(tolerance=-1e-6), "tolerance"),
        (lambda: IncrementalStep(voltage_step=0.0), "voltage_step"),
        (lambda: IncrementalStep(start_voltage=-1.0), "start_voltage"),
        (lambda: Vipi(proportional=-1.0), "gains"),
        (lambda: Vipi(integral=-0.1), "gains"),
        (lambda: Vipi(proportional=0.0, integral=0.0), "gains"),
        (lambda: Vipi(proportional=float("nan")), "gains"),
        (lambda: Vipi(integral_limit=0.0), "integral_limit"),
        (lambda: Vipi(patience=0), "patience"),
        (lambda: Vipi(progress=1.0), "progress"),
        (lambda: Vipi(max_pulses=0), "max_pulses"),
        (lambda: ProgramTwice(wait=0.0), "wait"),
        (lambda: ProgramTwice(wait=float("inf")), "wait"),
        (lambda: ProgramTwice(rounds=0), "rounds"),
        (lambda: ProgramTwice(tolerance=0.0), "tolerance"),
    ],
)
def test_impossible_choices_are_refused_by_name(make, named):
    with pytest.raises(ConfigError, match=named):
        make()


@pytest.mark.parametrize(
    ("strategy", "pulse", "named"),
    [
        (IncrementalStep(), {"max_voltage": None}, "no range for voltage steps"),
        (IncrementalStep(start_voltage=3.0), {}, "cannot climb"),
        (Vipi(voltage_step=0.1), {"max_voltage": None}, "no range for voltage steps"),
        (ProgramTwice(IncrementalStep()), {"max_voltage": None}, "no range for voltage steps"),
        (ProgramTwice(DirectSet()), {}, "verifies nothing"),
    ],
)
def test_chips_that_cannot_do_it_are_refused_before_any_call(strategy, pulse, named):
    spec = system(pulse=pulse)
    placement = place_graph(chain_graph(normal(6, 8, seed=1), normal(3, 6, seed=2)), normal(10, 8), spec)

    class Mock(MockBackend):
        def wait(self, elapsed):
            self.calls["wait"] += 1

    mock = Mock(spec)
    with pytest.raises(ProgramError, match=named):
        program(placement, mock, strategy)
    assert not mock.calls


@pytest.mark.parametrize("kind", STRATEGIES)
def test_cells_of_unknown_response_are_refused_before_any_call(kind):
    spec = noisy_system({f"{CELL}.pulse": None})
    mock = MockBackend(spec)
    with pytest.raises(ProgramError, match="use DirectSet"):
        kind().write(mock, FIRST, REGION, targets())
    assert not mock.calls


def test_programming_twice_needs_a_backend_that_knows_time():
    mock = MockBackend(system())
    with pytest.raises(ProgramError, match="cannot let time pass"):
        ProgramTwice().write(mock, FIRST, REGION, targets())
    assert not mock.calls


def test_voltages_need_a_response_that_is_known():
    backend = SimulatedBackend(system(pulse={"voltage_scale": None}))
    with pytest.raises(BackendError, match="voltage_scale"):
        IncrementalStep().write(backend, FIRST, REGION, targets())


def test_reads_that_are_no_numbers_stop_it_before_a_pulse():
    class Blind(MockBackend):
        def read(self, address, region):
            return super().read(address, region).fill_(float("nan"))

    blind = Blind(system())
    with pytest.raises(ProgramError, match="GradientProgramming"):
        WriteVerify().write(blind, FIRST, REGION, targets())
    assert blind.calls["pulse"] == 0
