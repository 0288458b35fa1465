"""How cells are brought to their targets: by pulses that are verified, or by the chip itself."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from crossloom.errors import ConfigError, ProgramError
from crossloom.hardware import Backend, OnChipSet, Region
from crossloom.spec import IdealDeviceSpec, MacroAddress, PulseSpec


@dataclass(frozen=True)
class Written:
    """What it took: `pulses` [row, column] counts, `failed` [row, column] cells that missed their target."""

    pulses: torch.Tensor
    failed: torch.Tensor


class Strategy(ABC):
    """A way to bring the cells of a region to their targets."""

    @abstractmethod
    def write(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        """Write `targets` (S, [row, column])."""

    @abstractmethod
    def tolerance_for(self, backend: Backend) -> float | None:
        """How far from its target a cell may end, S; None when nothing is verified."""


@dataclass(frozen=True)
class WriteVerify(Strategy):
    """Read, compare, pulse where the error is too large, repeat.

    A pulse is as long as the nominal response of a cell asks for, in whole multiples of the shortest. None
    takes what the chip's specification publishes: tolerance in S (else 1 % of g_max), at most max_pulses per
    cell (else 100).
    """

    tolerance: float | None = None
    max_pulses: int | None = None

    def __post_init__(self) -> None:
        if self.tolerance is not None and not self.tolerance > 0:
            raise ConfigError(f"need tolerance > 0 siemens, got {self.tolerance}")
        if self.max_pulses is not None and self.max_pulses < 1:
            raise ConfigError(f"need max_pulses >= 1, got {self.max_pulses}")

    def tolerance_for(self, backend: Backend) -> float:
        return self.tolerance or _response(backend).tolerance or 0.01 * backend.spec.macro.cell.g_max

    def write(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        response = _response(backend)
        tolerance = self.tolerance_for(backend)
        limit = self.max_pulses or response.max_pulses or 100
        pulses = torch.zeros(targets.shape, dtype=torch.int32)
        for _ in range(limit):
            error = targets - backend.read(address, region).to(targets)
            missed = error.abs() > tolerance
            if not missed.any():
                return Written(pulses, missed)
            backend.pulse(address, region, pulse_widths(error, response) * missed)
            pulses += missed
        error = targets - backend.read(address, region).to(targets)
        return Written(pulses, error.abs() > tolerance)


def _response(backend: Backend) -> PulseSpec:
    response = backend.spec.macro.cell.pulse
    if response is None:
        raise ProgramError(
            f"{backend.spec.name} does not say how its cells answer to pulses; use DirectSet()"
        )
    return response


def pulse_widths(error: torch.Tensor, response: PulseSpec) -> torch.Tensor:
    """Signed widths (s) of the pulses that should remove `error` (S), in multiples of the shortest."""
    longest = max(int(response.max_width / response.width), 1)
    multiples = (error.abs() / response.step).round().clamp(1, longest)
    return multiples * response.width * error.sign()


@dataclass(frozen=True)
class DirectSet(Strategy):
    """Let the chip bring its cells to their targets on its own, in one event per region."""

    def tolerance_for(self, backend: Backend) -> None:
        return None

    def write(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        if not isinstance(backend, OnChipSet):
            raise ProgramError(f"{type(backend).__name__} cannot set cells on its own; use WriteVerify()")
        backend.set(address, region, targets)
        none = torch.zeros(targets.shape, dtype=torch.int32)
        return Written(none, none.bool())


def usual_strategy(backend: Backend) -> Strategy:
    """Write-verify; but where cells are ideal, or nothing is known of their pulses, the chip sets them itself."""
    cell = backend.spec.macro.cell
    is_direct = cell.pulse is None or isinstance(cell.device, IdealDeviceSpec)
    return DirectSet() if is_direct and isinstance(backend, OnChipSet) else WriteVerify()
