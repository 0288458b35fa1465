"""Chips that count what they are asked, and that no program can copy: as real ones are."""

from crossloom.backends import SimulatedBackend
from crossloom.hardware import Backend
from crossloom.spec import SystemSpec


class CountingBackend(Backend):
    """Simulated chips behind a cable; `num_mvms` counts one per region and input vector."""

    def __init__(self, chips: SimulatedBackend) -> None:
        self._chips, self.num_mvms = chips, 0

    @property
    def spec(self) -> SystemSpec:
        return self._chips.spec

    def pulse(self, address, region, widths, voltages=None) -> None:
        self._chips.pulse(address, region, widths, voltages)

    def set(self, address, region, targets) -> None:
        self._chips.set(address, region, targets)

    def wait(self, elapsed: float) -> None:
        self._chips.wait(elapsed)

    def read(self, address, region):
        return self._chips.read(address, region)

    def mvm(self, command, codes, draw, count_codes=False):
        self.num_mvms += codes.num_vectors
        return self._chips.mvm(command, codes, draw, count_codes)

    def mvm_many(self, commands, codes, draw, count_codes=False):
        self.num_mvms += len(commands) * codes.num_vectors
        return self._chips.mvm_many(commands, codes, draw, count_codes)
