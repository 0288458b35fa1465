"""Every backend that ships keeps the laws of the public suite."""

from crossloom.backends import MockBackend, RecordingBackend, SimulatedBackend
from crossloom.spec import load_system
from crossloom.testing import BackendSuite
from flows import CELL, MACRO, noisy_system

VOLTAGES = {"voltage": 1.5, "max_voltage": 3.0, "voltage_scale": 0.5}
PULSE = {"width": 1e-7, "step": 5e-7, "max_width": 1e-5, **VOLTAGES}


class TestSimulatedIdealChips(BackendSuite):
    def make(self):
        return SimulatedBackend(load_system("ideal"))


class TestSimulatedFirstChip(BackendSuite):
    def make(self):
        return SimulatedBackend(load_system("tsinghua_c200"), seed=1)


class TestSimulatedChipsWithEverything(BackendSuite):
    def make(self):
        system = noisy_system(
            readout={"offset": 1.0, "gain_error": 0.05},
            programming_error=1e-6,
            read_noise=2e-7,
            variation=0.02,
            stuck_low=0.01,
            stuck_high=0.01,
        )
        return SimulatedBackend(system, seed=4)


class TestSimulatedIsaac(BackendSuite):
    def make(self):
        return SimulatedBackend(load_system("isaac"))


class TestSimulatedPairsOfRows(BackendSuite):
    def make(self):
        return SimulatedBackend(noisy_system({f"{MACRO}.pairing": "rows"}), seed=2)


class TestQuietSimulatedChips(BackendSuite):
    def make(self):
        return SimulatedBackend(noisy_system(read_noise=1e-6)).quiet()


class TestSimulatedChipsWithVoltages(BackendSuite):
    def make(self):
        return SimulatedBackend(noisy_system({f"{CELL}.pulse": PULSE}, read_noise=1e-7), seed=5)


class TestMockWithVoltages(BackendSuite):
    def make(self):
        return MockBackend(noisy_system({f"{CELL}.pulse": PULSE}))


class TestRecordingWithVoltages(BackendSuite):
    def make(self):
        return RecordingBackend(SimulatedBackend(noisy_system({f"{CELL}.pulse": PULSE}), seed=3))


class TestMock(BackendSuite):
    def make(self):
        return MockBackend(noisy_system())


class TestRecording(BackendSuite):
    def make(self):
        return RecordingBackend(SimulatedBackend(noisy_system(), seed=3))
