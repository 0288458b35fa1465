"""What a strategy is, and what it reports."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Protocol, runtime_checkable

import torch

from crossloom.errors import ConfigError, ProgramError
from crossloom.hardware import Backend, Region
from crossloom.spec import MacroAddress, PulseSpec

USUAL_MAX_PULSES = 100


@dataclass(frozen=True)
class Written:
    """What it took to write a region; every tensor has the shape [row, column] unless it says otherwise.

    pulses: int32 counts.  failed: cells that missed their target when last verified.  write_time: s, all pulses
    of a cell together, float32.  energy: J, V^2 g t of all its pulses, float32; None where no voltage is known.
    num_reads: how often every cell was read.  trajectory: S, float32, [step, row, column], what was measured at
    every verify; None unless asked for.  What nobody counted is None.
    """

    pulses: torch.Tensor
    failed: torch.Tensor
    write_time: torch.Tensor | None = None
    energy: torch.Tensor | None = None
    num_reads: int | None = None
    trajectory: torch.Tensor | None = field(default=None, repr=False)

    def then(self, later: "Written") -> "Written":
        """This and, after it, `later` on the same cells; `failed` is the later one's."""
        paths = [path for path in (self.trajectory, later.trajectory) if path is not None]
        return Written(
            pulses=self.pulses + later.pulses,
            failed=later.failed,
            write_time=_sum(self.write_time, later.write_time),
            energy=_sum(self.energy, later.energy),
            num_reads=_sum(self.num_reads, later.num_reads),
            trajectory=torch.cat(paths) if paths else None,
        )


def _sum(one: Any, other: Any) -> Any:
    """None where either is not known."""
    return None if one is None or other is None else one + other


@dataclass(frozen=True)
class Block:
    """The cells of one region of a macro, and their `targets`, S, [row, column]."""

    address: MacroAddress
    region: Region
    targets: torch.Tensor = field(repr=False)


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

    def check(self, backend: Backend) -> None:
        """ProgramError when these chips cannot be written like this; called before the first pulse."""
        self.tolerance_for(backend)


@runtime_checkable
class WritesTogether(Protocol):
    """A strategy that had better have all regions at once, for instance because it waits for them."""

    def write_all(self, backend: Backend, blocks: Sequence[Block]) -> list[Written]:
        """Write every block, and say what each of them took."""
        ...


def response_of(backend: Backend) -> PulseSpec:
    """How these cells answer to pulses. ProgramError when the specification does not say."""
    response = backend.spec.macro.cell.pulse
    if response is None:
        raise ProgramError(
            f"{backend.spec.name} does not say how its cells answer to pulses; use DirectSet()"
        )
    return response


def usual_tolerance(backend: Backend, tolerance: float | None) -> float:
    """What was chosen, or what the chip's specification publishes, or 1 % of g_max; S."""
    return tolerance or response_of(backend).tolerance or 0.01 * backend.spec.macro.cell.g_max


def check_choices(tolerance: float | None, max_pulses: int | None) -> None:
    """ConfigError for a tolerance or a number of pulses that nothing can keep."""
    if tolerance is not None and not (tolerance > 0 and isfinite(tolerance)):
        raise ConfigError(f"need tolerance > 0 siemens, got {tolerance}")
    if max_pulses is not None and max_pulses < 1:
        raise ConfigError(f"need max_pulses >= 1, got {max_pulses}")


def check_above_zero(**values: float | None) -> None:
    """ConfigError, with its name, for the first number that is given and is not above zero and finite."""
    for name, value in values.items():
        if value is not None and not (value > 0 and isfinite(value)):
            raise ConfigError(f"need {name} > 0, got {value}")
