"""One region under the hands of a strategy: every pulse and every read goes through here, and is counted."""

import torch

from crossloom.errors import ProgramError
from crossloom.hardware import Backend, Region
from crossloom.programming.strategies.strategy import Written, response_of
from crossloom.spec import MacroAddress, PulseSpec


class Session:
    """Pulses and reads of one region. Tensors live with `targets` (S, [row, column])."""

    def __init__(
        self,
        backend: Backend,
        address: MacroAddress,
        region: Region,
        targets: torch.Tensor,
        keep_trajectory: bool = False,
    ) -> None:
        self.response: PulseSpec = response_of(backend)
        self.targets = targets
        self._backend, self._address, self._region = backend, address, region
        self._path: list[torch.Tensor] | None = [] if keep_trajectory else None
        self._pulses = torch.zeros_like(targets, dtype=torch.int32)
        self._write_time = torch.zeros_like(targets)
        self._energy = None if self.response.voltage is None else torch.zeros_like(targets)
        self._conductance = targets
        self._num_reads = 0

    def read(self) -> torch.Tensor:
        """Measure all cells: S, [row, column]. ProgramError when what comes is no number."""
        measured = self._backend.read(self._address, self._region).to(self.targets)
        if not torch.isfinite(measured.sum()):  # one pass; any NaN or infinity comes through a sum
            raise ProgramError(
                f"{self._address} reads conductances that are no numbers; check its read path, or program it by its "
                "outputs with GradientProgramming()"
            )
        self._num_reads += 1
        self.believe(measured)
        return measured

    def believe(self, conductance: torch.Tensor) -> None:
        """Note what the cells are held to have (S, [row, column]): it is on their way, and dissipates what it does."""
        self._conductance = conductance
        if self._path is not None:
            self._path.append(conductance.float())

    def pulse(self, widths: torch.Tensor, voltages: torch.Tensor | None = None) -> None:
        """One pulse per cell, of signed `widths` (s) and `voltages` (V; None: nominal); count it where there is one."""
        self._backend.pulse(self._address, self._region, widths, voltages)
        self._pulses += widths != 0
        lengths = widths.abs()
        self._write_time += lengths
        if self._energy is not None:
            used = (self.response.voltage or 0.0) if voltages is None else voltages
            self._energy += lengths.mul_(self._conductance.clamp(min=0)).mul_(used).mul_(used)

    def done(self, failed: torch.Tensor) -> Written:
        """What it took."""
        return Written(
            pulses=self._pulses,
            failed=failed,
            write_time=self._write_time.float(),
            energy=None if self._energy is None else self._energy.float(),
            num_reads=self._num_reads,
            trajectory=torch.stack(self._path) if self._path else None,
        )
