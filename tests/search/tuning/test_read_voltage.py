"""The read voltage of an MVM: what it does to cells, and what it leaves as it was."""

import pytest
import torch

from crossloom.backends import MockBackend, RecordedBackend, RecordingBackend, SimulatedBackend
from crossloom.errors import BackendError
from crossloom.hardware import DenseCodes, Draw, InputFormat, MvmCommand, Region, Wiring
from crossloom.spec import BitSerial, MacroAddress, SystemSpec, load_system
from flows import CELL, MACRO, noisy_system, normal

ADDRESS, REGION = MacroAddress(0, 0, 0), Region(0, 0, 16, 6)
CODES = DenseCodes(normal(20, 8, seed=2).mul(3).round().clamp(-7, 7), 20)


def command(system: SystemSpec, time: float, voltage: float | None = None) -> MvmCommand:
    inputs = InputFormat(BitSerial(), 4, True)
    step = (system.macro.cell.g_max - system.macro.cell.g_min) / 7
    return MvmCommand(ADDRESS, REGION, inputs, Wiring("rows"), time, step, voltage)


def chips(system: SystemSpec) -> SimulatedBackend:
    backend = SimulatedBackend(system)
    cell = system.macro.cell
    share = torch.rand(16, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    backend.set(ADDRESS, REGION, cell.g_min + share * (cell.g_max - cell.g_min))
    return backend


def answer(backend: SimulatedBackend, time: float, voltage: float | None = None) -> torch.Tensor:
    return backend.mvm(command(backend.spec, time, voltage), CODES, Draw(0)).sums


def test_currents_of_ohmic_cells_go_with_the_voltage_and_those_of_others_do_not():
    """Converters of 14 bits; twice the voltage for half the time: the same for ohmic cells to rounding, off by more
    than a tenth for cells whose current grows as a hyperbolic sine."""
    ohmic = load_system("tsinghua_c200", {f"{MACRO}.readout.bits": 14, f"{MACRO}.readout.offset": None})
    curved = ohmic.with_cell(ohmic.macro.cell.replace(iv={"kind": "sinh", "voltage": 0.1}))
    for system, is_same in ((ohmic, True), (curved, False)):
        backend = chips(system)
        plain, driven = answer(backend, 4.0), answer(backend, 2.0, 0.2)
        difference = ((plain - driven).norm() / plain.norm()).item()
        assert (difference < 1e-3) if is_same else (difference > 0.1)


def test_the_drivers_own_voltage_changes_nothing():
    for system in (load_system("tsinghua_c200"), load_system("ideal", {f"{MACRO}.dac.read_voltage": 0.3})):
        volt = system.macro.dac.read_voltage
        assert volt is not None
        backend = chips(system)
        assert torch.equal(answer(backend, 9.0), answer(backend, 9.0, volt))


def test_a_system_that_does_not_say_its_voltage_refuses_another():
    system = noisy_system({f"{MACRO}.dac.read_voltage": None})
    with pytest.raises(BackendError, match=r"give dac\.read_voltage"):
        answer(chips(system), 1.0, 0.1)


@pytest.mark.parametrize("voltage", [0.0, -0.1, float("inf"), float("nan")])
def test_impossible_voltages_are_refused(voltage):
    with pytest.raises(BackendError, match="positive number of volt"):
        answer(chips(load_system("tsinghua_c200")), 5.0, voltage)


def test_sessions_recorded_without_voltages_play_for_commands_without_one():
    system = load_system("tsinghua_c200")
    recording = RecordingBackend(chips(system))
    told = recording.mvm(command(system, 5.0), CODES, Draw(0)).sums
    recording.mvm(command(system, 5.0, 0.2), CODES, Draw(0))
    first, second = recording.recording().exchanges
    assert "read_voltage" not in first.place
    assert "read_voltage=0.2" in second.place
    replayed = RecordedBackend(recording.recording())
    assert torch.equal(replayed.mvm(command(system, 5.0), CODES, Draw(0)).sums, told)
    with pytest.raises(BackendError, match="asked is mvm"):
        replayed.mvm(command(system, 5.0, 0.3), CODES, Draw(0))


BENT = {f"{MACRO}.dac.read_voltage": 0.2}
SWEPT = {
    "noise and bent converters": noisy_system(
        BENT, readout={"offset": 1.0, "gain_error": 0.05, "differential_nonlinearity": 0.3}, read_noise=2e-7
    ),
    "drivers that differ": noisy_system({**BENT, f"{MACRO}.dac.bits": 3, f"{MACRO}.dac.level_error": 0.05}),
    "ideal converters": noisy_system(
        {**BENT, f"{MACRO}.readout.bits": None}, {"bits": None}, read_noise=2e-7
    ),
    "cells that are not ohmic": noisy_system({**BENT, f"{CELL}.iv": {"kind": "sinh", "voltage": 0.2}}),
}


@pytest.mark.parametrize("case", SWEPT)
def test_a_sweep_over_settings_in_one_call_equals_single_calls(case):
    """Seven settings of one region, of which the call makes one product where cells are ohmic."""
    backend = chips(SWEPT[case])
    times = [0.3 * 1.7**turn for turn in range(7)]
    pairs = zip(times, [None, 0.1] * 3 + [0.4], strict=True)
    commands = [command(backend.spec, time, volt) for time, volt in pairs]
    together = backend.mvm_many(commands, CODES, Draw(4))
    for one, found in zip(commands, together, strict=True):
        alone = backend.mvm(one, CODES, Draw(4)).sums
        assert torch.allclose(found.sums, alone, rtol=1e-5, atol=1e-3)
    assert not torch.equal(together[0].sums, together[-1].sums)


def test_the_mock_chip_knows_of_voltages():
    system = load_system("tsinghua_c200").noiseless()
    mock = MockBackend(system)
    plain = mock.mvm(command(system, 4.0), CODES, Draw(0)).sums
    assert torch.allclose(plain, mock.mvm(command(system, 2.0, 0.2), CODES, Draw(0)).sums)
