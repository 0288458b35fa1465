"""A stand-in for chips in tests: exact arithmetic, no physics, every call written down, faults on demand."""

from collections import Counter

import torch

from crossloom.backends.checks import (
    check_codes,
    check_region,
    check_targets,
    check_together,
    check_voltages,
    check_widths,
)
from crossloom.circuits import effective_array, product
from crossloom.devices import nominal_change
from crossloom.errors import BackendError
from crossloom.hardware import Backend, Codes, Draw, MvmCommand, Reading, Region
from crossloom.spec import MacroAddress, SystemSpec


class MockBackend(Backend):
    """Chips that set their cells exactly and multiply exactly.

    calls: how often each verb was called.  fail_after: after so many calls, every call raises BackendError, as
    a chip does whose cable came loose.
    """

    def __init__(self, spec: SystemSpec, fail_after: int | None = None) -> None:
        self._spec = spec
        self._fail_after = fail_after
        self._cells: dict[MacroAddress, torch.Tensor] = {}
        self.calls: Counter[str] = Counter()

    @property
    def spec(self) -> SystemSpec:
        return self._spec

    def pulse(
        self,
        address: MacroAddress,
        region: Region,
        widths: torch.Tensor,
        voltages: torch.Tensor | None = None,
    ) -> None:
        check_widths(region, widths)
        check_voltages(self._spec, region, voltages)
        change = nominal_change(widths, self._spec.macro.cell, voltages)
        self._count("pulse", address, region)
        self._block(address, region).add_(change)

    def set(self, address: MacroAddress, region: Region, targets: torch.Tensor) -> None:
        """Bring cells to `targets`, S, [row, column], exactly."""
        check_targets(region, targets)
        self._count("set", address, region)
        self._block(address, region).copy_(targets)

    def read(self, address: MacroAddress, region: Region) -> torch.Tensor:
        self._count("read", address, region)
        return self._block(address, region).clone()

    def mvm(self, command: MvmCommand, codes: Codes, draw: Draw, count_codes: bool = False) -> Reading:
        check_together(self._spec, (command,))
        check_codes(command, codes)
        self._count("mvm", command.address, command.region)
        cells = self._block(command.address, command.region)
        array = effective_array(cells, None, command.wiring, command.level_step)
        exact = codes.with_values(codes.values.double())
        gain = self._spec.macro.gain(command.integration_time, command.level_step, command.read_voltage)
        return Reading(product(exact, array.matrix.T.contiguous()) * gain)

    def _count(self, verb: str, address: MacroAddress, region: Region) -> None:
        check_region(self._spec, address, region)
        if self._fail_after is not None and self.calls.total() >= self._fail_after:
            raise BackendError(f"{address} does not answer to {verb}; check its cable")
        self.calls[verb] += 1

    def _block(self, address: MacroAddress, region: Region) -> torch.Tensor:
        crossbar = self._spec.macro.crossbar
        if address not in self._cells:
            shape = (crossbar.num_rows, crossbar.num_columns)
            self._cells[address] = torch.full(shape, crossbar.cell.g_min, dtype=torch.float64)
        rows = slice(region.row, region.row + region.num_rows)
        return self._cells[address][rows, region.column : region.column + region.num_columns]
