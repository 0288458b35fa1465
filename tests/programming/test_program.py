"""Programming really reads, compares and pulses; it counts what it did, and refuses before any pulse."""

import pytest
import torch

from crossloom.artefacts.codec import decoder
from crossloom.backends import MockBackend, RecordingBackend, SimulatedBackend
from crossloom.errors import BackendError, ConfigError, ProgramError
from crossloom.hardware import Region
from crossloom.mapping import MappingConfig
from crossloom.programming import (
    DirectSet,
    ProgrammingReport,
    WriteVerify,
    attach,
    plan_programming,
    program,
    pulse_widths,
    region_of,
    usual_strategy,
)
from crossloom.runtime import run
from crossloom.spec import MacroAddress, PulseSpec, load_system
from crossloom.units import format_si
from flows import CELL, MACRO, noisy_system, normal, place_graph
from small_graphs import chain_graph, linear_graph

FIRST, REGION = MacroAddress(0, 0, 0), Region(0, 0, 30, 20)
INPUTS = normal(10, 20)
GRAPH = chain_graph(normal(10, 20, seed=1), normal(4, 10, seed=2))


def targets() -> torch.Tensor:
    return 1e-6 + 9e-5 * torch.rand(30, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def write(backend, **choices):
    return WriteVerify(**choices).write(backend, FIRST, REGION, targets())


def test_write_verify_keeps_its_tolerance():
    backend = SimulatedBackend(noisy_system())
    written = write(backend, tolerance=5e-7)
    assert not written.failed.any()
    assert ((backend.conductance(FIRST, REGION) - targets()).abs() <= 5e-7).all()


def test_a_finer_tolerance_takes_more_pulses_and_leaves_less_error():
    pulses, errors = [], []
    for tolerance in (4e-6, 1e-6, 3e-7):
        backend = SimulatedBackend(noisy_system())
        pulses.append(write(backend, tolerance=tolerance).pulses.sum().item())
        errors.append((backend.conductance(FIRST, REGION) - targets()).square().mean().item())
    assert pulses == sorted(set(pulses))
    assert errors == sorted(errors, reverse=True)


def test_every_pulse_is_counted_at_its_cell():
    recorder = RecordingBackend(SimulatedBackend(noisy_system()))
    seen = torch.zeros(30, 20, dtype=torch.int32)
    pulse = recorder.pulse

    def watch(address, region, widths, voltages=None):
        seen.add_((widths != 0).int())
        pulse(address, region, widths, voltages)

    recorder.pulse = watch
    written = write(recorder, tolerance=5e-7)
    assert torch.equal(written.pulses, seen)
    assert written.pulses.max() > 1
    verbs = [exchange.verb for exchange in recorder.recording().exchanges]
    assert verbs == ["read", "pulse"] * (len(verbs) // 2) + ["read"]


def test_pulses_go_only_to_cells_that_missed():
    """Once a cell is within its tolerance, noise-free reads leave it alone."""
    backend = SimulatedBackend(noisy_system(pulse_spread=0.0))
    written = write(backend, tolerance=3e-7)
    again = write(backend, tolerance=3e-7)
    assert written.pulses.sum() > 0
    assert again.pulses.sum() == 0


def test_cells_that_need_more_pulses_than_allowed_fail_and_are_counted():
    backend = SimulatedBackend(noisy_system(pulse_spread=0.6))
    written = write(backend, tolerance=2e-7, max_pulses=3)
    missed = (backend.conductance(FIRST, REGION) - targets()).abs() > 2e-7
    assert written.pulses.max() == 3
    assert 0 < written.failed.sum() < written.failed.numel()
    assert torch.equal(written.failed, missed)
    assert write(SimulatedBackend(noisy_system(pulse_spread=0.6)), tolerance=2e-7).failed.sum() == 0


def test_a_cell_that_reaches_its_target_with_the_last_pulse_has_not_failed():
    backend = SimulatedBackend(noisy_system(pulse_spread=0.0))
    written = WriteVerify(tolerance=3e-7, max_pulses=1).write(
        backend, FIRST, Region(0, 0, 1, 1), torch.tensor([[2e-6]], dtype=torch.float64)
    )
    assert written.pulses.item() == 1
    assert not written.failed.any()


def test_stuck_cells_fail_and_nothing_else_does():
    backend = SimulatedBackend(noisy_system(stuck_low=0.05, stuck_high=0.05))
    written = write(backend, tolerance=5e-7)
    stuck = backend.to_state().macros[FIRST].cells.block(0, 0, 30, 20).fault != 0
    is_lucky = (backend.conductance(FIRST, REGION) - targets()).abs() <= 5e-7
    assert stuck.any()
    assert torch.equal(written.failed, stuck & ~is_lucky)
    assert (written.pulses[written.failed] == 100).all()


def test_the_longest_pulse_is_not_exceeded_and_the_shortest_is_its_unit():
    response = PulseSpec(width=2e-8, step=2e-7, max_width=2e-6)
    errors = torch.tensor([1e-4, -1e-4, 1e-9, -3.1e-7, 5e-7], dtype=torch.float64)
    widths = pulse_widths(errors, response) / 2e-8
    torch.testing.assert_close(widths, torch.tensor([100.0, -100.0, 1.0, -2.0, 2.0]).double())


def test_published_limits_are_taken_when_none_are_given():
    backend = SimulatedBackend(load_system("neurram"))
    assert WriteVerify().tolerance_for(backend) == 1e-6
    assert WriteVerify(tolerance=2e-6).tolerance_for(backend) == 2e-6
    assert WriteVerify().tolerance_for(SimulatedBackend(noisy_system())) == pytest.approx(1e-6)


@pytest.mark.parametrize(
    "wrong",
    [{"tolerance": 0}, {"tolerance": -1e-6}, {"tolerance": float("nan")}, {"max_pulses": 0}],
)
def test_impossible_choices_are_refused(wrong):
    with pytest.raises(ConfigError):
        WriteVerify(**wrong)


def test_cells_are_set_directly_where_that_is_all_they_know():
    assert isinstance(usual_strategy(SimulatedBackend(load_system("isaac"))), DirectSet)
    assert isinstance(usual_strategy(SimulatedBackend(load_system("ideal"))), DirectSet)
    assert isinstance(usual_strategy(SimulatedBackend(load_system("tsinghua_c200"))), WriteVerify)


def test_the_plan_says_what_would_be_written_and_writes_nothing():
    placement = place_graph(GRAPH, INPUTS, noisy_system(), MappingConfig(copies=2))
    plan = plan_programming(placement)
    assert "tiles on" in str(plan.summary())
    assert f"{plan.num_cells:,} cells of {len(plan.tiles)} tiles" in plan.summary()
    assert plan.num_cells == placement.mapped.num_cells
    assert sorted(item.tile for item in plan.tiles) == list(range(len(placement.sites)))
    assert [item.address for item in plan.tiles] == sorted(item.address for item in plan.tiles)
    for item in plan.tiles:
        assert tuple(item.targets.shape) == (item.region.num_rows, item.region.num_columns)
        assert item.region == region_of(placement, item.tile)


def test_a_plan_of_nothing_can_be_printed():
    placement = place_graph(GRAPH, INPUTS, noisy_system(), MappingConfig(digital=("layer1", "layer2")))
    assert "nothing to write" in plan_programming(placement).summary()
    chips = program(placement, SimulatedBackend(noisy_system()))
    assert chips.report.num_cells == chips.report.num_pulses == 0
    assert chips.report.error_std == 0


def test_a_backend_that_can_be_copied_is_left_as_it_was():
    backend = SimulatedBackend(noisy_system())
    placement = place_graph(GRAPH, INPUTS, noisy_system())
    chips = program(placement, backend)
    assert backend.to_state().macros == {}
    assert chips.backend is not backend
    assert chips.report.num_pulses > 0


def test_the_report_is_what_was_measured():
    system = noisy_system(programming_error=1e-6)
    placement = place_graph(GRAPH, INPUTS, system)
    chips = program(placement, SimulatedBackend(system), WriteVerify(tolerance=5e-7))
    report = chips.report
    assert (report.strategy, report.tolerance, report.settle) == ("WriteVerify", 5e-7, 1.0)
    assert report.num_cells == placement.mapped.num_cells
    for tile, item in zip(report.tiles, plan_programming(placement).tiles, strict=True):
        there = chips.backend.conductance(item.address, item.region)
        torch.testing.assert_close(tile.error, (there - item.targets).float())
        assert (tile.tile, tile.layer) == (item.tile, item.layer)
    assert report.error_std == pytest.approx(1e-6, rel=0.2)
    assert f"{report.num_pulses:,} pulses" in report.summary()


PULSE = {"width": 1e-7, "step": 5e-7, "max_width": 1e-5, "voltage": 1.2}


def test_the_report_adds_up_time_energy_and_reads():
    system = noisy_system({f"{CELL}.pulse": PULSE})
    strategy = WriteVerify(tolerance=1e-6, keep_trajectory=True)
    report = program(place_graph(GRAPH, INPUTS, system), SimulatedBackend(system), strategy).report
    assert len(report.tiles) > 1
    assert report.write_time == pytest.approx(sum(tile.write_time.sum().item() for tile in report.tiles))
    assert report.energy == pytest.approx(sum(tile.energy.sum().item() for tile in report.tiles))
    assert report.num_reads == sum(tile.num_reads * tile.error.numel() for tile in report.tiles)
    assert min(report.write_time, report.energy, report.num_reads) > 0
    for tile in report.tiles:
        assert tile.trajectory.shape == (tile.num_reads, *tile.error.shape)
    assert f" ({format_si(report.write_time, 's')}, {format_si(report.energy, 'J')})," in report.summary()


def test_what_nobody_counted_is_none_and_not_zero():
    system = noisy_system()
    placement = place_graph(GRAPH, INPUTS, system)
    verified = program(placement, SimulatedBackend(system), WriteVerify()).report
    assert verified.energy is None
    assert verified.tiles[0].trajectory is None
    direct = program(placement, SimulatedBackend(system), DirectSet()).report
    assert direct.write_time is direct.energy is None
    assert "0 pulses," in direct.summary()


def test_reports_from_before_times_and_energies_were_kept_load():
    tensors = {"t": torch.ones(2, 3), "n": torch.ones(2, 3, dtype=torch.int32)}
    fields = {"layer": "a", "tile": 0, "pulses": {"$tensor": "n"}, "failed": {"$tensor": "n"}}
    plain = {"$type": "TileReport", "fields": {**fields, "error": {"$tensor": "t"}}}
    tile = decoder(tensors)(plain)
    report = ProgrammingReport("WriteVerify", 1e-6, 1.0, (tile,))
    assert report.num_pulses == 6
    assert report.write_time is report.energy is report.num_reads is None


def test_a_report_with_trajectories_saves_and_loads(tmp_path):
    system = noisy_system({f"{CELL}.pulse": PULSE})
    strategy = WriteVerify(max_pulses=3, keep_trajectory=True)
    report = program(place_graph(GRAPH, INPUTS, system), SimulatedBackend(system), strategy).report
    report.save(tmp_path / "report")
    again = ProgrammingReport.load(tmp_path / "report")
    assert again.energy == report.energy
    for tile, other in zip(again.tiles, report.tiles, strict=True):
        assert torch.equal(tile.trajectory, other.trajectory)


def test_the_programming_error_comes_after_the_last_verify():
    """Write-verify cannot remove what has not happened yet."""
    system = noisy_system({f"{CELL}.g_min": 2e-5}, programming_error=3e-6, pulse_spread=0.0)
    placement = place_graph(GRAPH, INPUTS, system)
    errors = [
        program(
            placement, SimulatedBackend(system), WriteVerify(tolerance=3e-7), settle=settle
        ).report.error_std
        for settle in (0.0, 0.05, 5.0)
    ]
    assert errors[0] < 3e-7
    assert errors[1] == pytest.approx(3e-6 * (1 - 2.718281828**-0.5) ** 0.5, rel=0.1)
    assert errors[2] == pytest.approx(3e-6, rel=0.1)


@pytest.mark.parametrize("settle", [-1.0, float("nan")])
def test_an_impossible_wait_is_refused_before_any_call(settle):
    mock = MockBackend(noisy_system())
    with pytest.raises(ConfigError, match="settle"):
        program(place_graph(GRAPH, INPUTS, noisy_system()), mock, settle=settle)
    assert not mock.calls


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({f"{MACRO}.crossbar.num_rows": 65}, "crossbars"),
        ({f"{MACRO}.pairing": "rows"}, "crossbars"),
        ({"num_chips": 4}, "macros"),
        ({"num_chips": 16, "chip.num_cores": 8}, "macros"),
        ({f"{CELL}.g_max": 2e-4}, "conductances"),
        ({f"{CELL}.num_levels": 16}, "conductances"),
        ({f"{MACRO}.readout.bits": 6}, "converters"),
        ({f"{MACRO}.readout.is_signed": False}, "converters"),
        ({f"{MACRO}.dac.is_signed": False}, "drivers"),
    ],
)
def test_another_system_is_refused_before_any_call(overrides, named):
    placement = place_graph(GRAPH, INPUTS, noisy_system())
    mock = MockBackend(noisy_system(overrides))
    with pytest.raises(ProgramError, match=f"with other {named}"):
        program(placement, mock)
    with pytest.raises(ProgramError, match=f"with other {named}"):
        attach(placement, mock)
    assert not mock.calls


def test_the_same_system_with_other_cells_is_taken():
    placement = place_graph(GRAPH, INPUTS, noisy_system())
    for system in (noisy_system().noiseless(), noisy_system(programming_error=1e-6, variation=0.1)):
        assert program(placement, MockBackend(system)).report.num_failed == 0


def test_chips_that_cannot_be_pulsed_are_refused_before_any_call():
    system = noisy_system({f"{CELL}.pulse": None})
    mock = MockBackend(system)
    with pytest.raises(ProgramError, match="use DirectSet"):
        program(place_graph(GRAPH, INPUTS, system), mock, WriteVerify())
    assert not mock.calls


class _OnlyPulses(MockBackend):
    """Chips that cannot set their cells on their own."""

    set = None


def test_chips_that_cannot_set_cells_are_refused_before_any_call():
    mock = _OnlyPulses(noisy_system())
    with pytest.raises(ProgramError, match=r"cannot set cells on its own; use WriteVerify\(\)"):
        program(place_graph(GRAPH, INPUTS, noisy_system()), mock, DirectSet())
    assert not mock.calls
    assert isinstance(usual_strategy(_OnlyPulses(noisy_system({f"{CELL}.pulse": None}))), WriteVerify)


@pytest.mark.parametrize("calls", [0, 1, 7])
def test_chips_that_stop_answering_are_an_error_and_lose_nothing(calls):
    """What was written stays written, and the same placement can be programmed once the cable is back."""
    placement = place_graph(GRAPH, INPUTS, noisy_system())
    mock = MockBackend(noisy_system(), fail_after=calls)
    with pytest.raises(BackendError, match="does not answer"):
        program(placement, mock, WriteVerify(tolerance=5e-7))
    assert mock.calls.total() == calls
    item = plan_programming(placement).tiles[0]
    mock._fail_after = None
    written = mock.read(item.address, item.region)
    assert calls < 2 or (written - 1e-6).abs().max() > 1e-6
    chips = program(placement, mock, WriteVerify(tolerance=5e-7))
    assert chips.report.num_failed == 0
    assert torch.equal(run(chips, INPUTS).outputs, run(chips, INPUTS).outputs)


def test_chips_that_stop_answering_in_a_run_are_an_error_and_answer_again_later():
    placement = place_graph(GRAPH, INPUTS, noisy_system())
    mock = MockBackend(noisy_system())
    chips = program(placement, mock)
    answer = run(chips, INPUTS).outputs
    mock._fail_after = mock.calls.total() + 1
    with pytest.raises(BackendError, match="does not answer to mvm"):
        run(chips, INPUTS)
    mock._fail_after = None
    assert torch.equal(run(chips, INPUTS).outputs, answer)


def test_two_programmings_of_the_same_seed_are_the_same_and_other_seeds_are_not():
    system = noisy_system(programming_error=2e-6)
    placement = place_graph(GRAPH, INPUTS, system)
    answers = [run(program(placement, SimulatedBackend(system, seed)), INPUTS).outputs for seed in (0, 0, 1)]
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])


def test_a_single_weight_is_programmed_like_any_other():
    graph, inputs = linear_graph(torch.tensor([[0.7]])), torch.tensor([[1.0], [-2.0]])
    system = load_system("ideal")
    chips = program(place_graph(graph, inputs, system), SimulatedBackend(system))
    assert chips.report.num_cells == 2
    torch.testing.assert_close(run(chips, inputs).outputs, 0.7 * inputs, rtol=0.2, atol=0)
