"""Incremental-step pulse programming: every pulse a little stronger than the one before."""

from dataclasses import dataclass

import torch

from crossloom.artefacts import saved
from crossloom.errors import ProgramError
from crossloom.hardware import Backend, Region
from crossloom.programming.strategies.session import Session
from crossloom.programming.strategies.strategy import (
    USUAL_MAX_PULSES,
    Strategy,
    Written,
    check_above_zero,
    check_choices,
    response_of,
    usual_tolerance,
)
from crossloom.programming.strategies.verifying import verify
from crossloom.spec import MacroAddress

_STEPS = 20  # of the usual ramp, from the nominal voltage to the highest


@saved
@dataclass(frozen=True)
class IncrementalStep(Strategy):
    """Pulses of the shortest width, each `voltage_step` V above the one before, until the target is passed.

    Then the direction turns, and the voltage starts anew at `start_voltage`. At the highest voltage that the
    drivers give it stays. None takes what the specification says: the nominal voltage to start with, and a twentieth
    of the range above it as the step; tolerance (S) and max_pulses as for `WriteVerify`. Cells need no known
    response to voltage: only the range of voltages must be known.

    The scheme of Suh et al., A 3.3 V 32 Mb NAND flash memory with incremental step pulse programming scheme
    (IEEE JSSC 30, 1149 (1995)); for resistive memory with reversals, as in Wan et al., Nature 608, 504 (2022).
    """

    tolerance: float | None = None
    max_pulses: int | None = None
    start_voltage: float | None = None
    voltage_step: float | None = None
    keep_trajectory: bool = False

    def __post_init__(self) -> None:
        check_choices(self.tolerance, self.max_pulses)
        check_above_zero(start_voltage=self.start_voltage, voltage_step=self.voltage_step)

    def tolerance_for(self, backend: Backend) -> float:
        return usual_tolerance(backend, self.tolerance)

    def check(self, backend: Backend) -> None:
        self.tolerance_for(backend)
        ramp_for(backend, self.start_voltage, self.voltage_step, _STEPS)

    def write(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        self.check(backend)
        session = Session(backend, address, region, targets, self.keep_trajectory)
        limit = self.max_pulses or session.response.max_pulses or USUAL_MAX_PULSES
        start, step, highest = ramp_for(backend, self.start_voltage, self.voltage_step, _STEPS)
        ramp = _Ramp(targets, session.response.width, start, step, highest)
        return verify(session, self.tolerance_for(backend), limit, ramp.pulses)


class _Ramp:
    """The voltage of every cell as it climbs."""

    def __init__(
        self, targets: torch.Tensor, width: float, start: float, step: float, highest: float
    ) -> None:
        self._width, self._start, self._step, self._highest = width, start, step, highest
        self._direction = torch.zeros_like(targets)
        self._voltages = torch.full_like(targets, start)

    def pulses(self, error: torch.Tensor, missed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        direction = error.sign()
        climbed = (self._voltages + self._step).clamp(max=self._highest)
        chosen = torch.where(direction == self._direction, climbed, self._start)
        self._voltages = torch.where(missed, chosen, self._voltages)
        self._direction = torch.where(missed, direction, self._direction)
        return direction * self._width, self._voltages


def ramp_for(
    backend: Backend, start: float | None, step: float | None, steps: int
) -> tuple[float, float, float]:
    """Where voltages start, by how much they climb, and how high, V; by default the range in so many `steps`.

    ProgramError when the drivers have no range of voltages, or the start lies above it.
    """
    response = response_of(backend)
    nominal, highest = response.voltage, response.max_voltage
    if nominal is None or highest is None:
        raise ProgramError(
            f"{backend.spec.name} gives no range for voltage steps; give pulse.voltage and pulse.max_voltage, or "
            "use WriteVerify()"
        )
    start = start or nominal
    if start >= highest:
        raise ProgramError(
            f"voltages from {start:g} V cannot climb: {backend.spec.name} gives {highest:g} V at most; lower "
            "start_voltage, or raise pulse.max_voltage"
        )
    return start, step or (highest - start) / steps, highest
