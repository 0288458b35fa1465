"""VIPI: proportional-integral programming, with a voltage that rises when progress stalls."""

from dataclasses import dataclass
from math import isfinite

import torch

from crossloom.artefacts import saved
from crossloom.errors import ConfigError
from crossloom.hardware import Backend, Region
from crossloom.programming.strategies.incremental import ramp_for
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
from crossloom.programming.strategies.verifying import pulse_widths, verify
from crossloom.spec import MacroAddress, PulseSpec

_STEPS = 5  # of the usual rise, from the nominal voltage to the highest


@saved
@dataclass(frozen=True)
class Vipi(Strategy):
    """Pulse widths by a proportional-integral controller of every cell's error, u = k_p e + k_i sum(e).

    u (S) becomes a width by the nominal response; between the shortest and the longest. Of Safa et al.,
    arXiv 2511.03747 (2025), and its published release, whose unit is the count of one board's converter:

    - there u = 7 * 2e + 3 * sum(2e), here the gains are shares of the error that a pulse shall nominally remove, in
      the same ratio, 7 : 3: the first pulse removes all of it;
    - there the dead zone is 15 counts and sum(2e) is clipped to 3000, which is 100 dead zones of e; here the dead
      zone is `tolerance` (S), and `integral_limit` is in tolerances;
    - there at most 100 iterations, here as many unless the chip publishes another `max_pulses`;
    - there a width unit is 60 us at 0.08 V around the middle, and 0.11 V for a cell that does not respond, never
      used; here a cell whose error has not shrunk by the share `progress` within `patience` pulses is pulsed
      `voltage_step` V higher (None: a fifth of the range between the nominal and the highest voltage, and no steps
      where the drivers have no such range), and back at the nominal voltage once its target is passed.

    Against wind-up, which drives the release past its targets: what a pulse has removed is taken off the sum, so that
    it gathers only what cells owe; it grows by nothing while a pulse is as long as it can be, and starts anew when
    a target is met or passed, and with every voltage step.
    """

    tolerance: float | None = None
    max_pulses: int | None = None
    proportional: float = 0.7
    integral: float = 0.3
    integral_limit: float = 100.0
    voltage_step: float | None = None
    patience: int = 3
    progress: float = 0.1
    keep_trajectory: bool = False

    def __post_init__(self) -> None:
        check_choices(self.tolerance, self.max_pulses)
        check_above_zero(integral_limit=self.integral_limit, voltage_step=self.voltage_step)
        gains = (self.proportional, self.integral)
        if not (min(gains) >= 0 and sum(gains) > 0 and isfinite(sum(gains))):
            raise ConfigError(f"need gains proportional and integral >= 0, one of them above, got {gains}")
        if self.patience < 1 or not 0 < self.progress < 1:
            raise ConfigError(
                f"need patience >= 1 and 0 < progress < 1, got {self.patience} and {self.progress}"
            )

    def tolerance_for(self, backend: Backend) -> float:
        return usual_tolerance(backend, self.tolerance)

    def check(self, backend: Backend) -> None:
        self.tolerance_for(backend)
        self._rise(backend)

    def write(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        self.check(backend)
        session = Session(backend, address, region, targets, self.keep_trajectory)
        limit = self.max_pulses or session.response.max_pulses or USUAL_MAX_PULSES
        tolerance = self.tolerance_for(backend)
        controller = _Controller(self, session.response, targets, tolerance, self._rise(backend))
        return verify(session, tolerance, limit, controller.pulses)

    def _rise(self, backend: Backend) -> tuple[float, float, float] | None:
        """Nominal voltage, step and highest voltage; None when voltages stay as they are."""
        response = response_of(backend)
        has_range = response.max_voltage is not None and response.max_voltage > (response.voltage or 0.0)
        if self.voltage_step is None and not has_range:
            return None
        return ramp_for(backend, None, self.voltage_step, _STEPS)


class _Controller:
    """What every cell's controller remembers; all tensors [row, column]."""

    def __init__(
        self,
        config: Vipi,
        response: PulseSpec,
        targets: torch.Tensor,
        tolerance: float,
        rise: tuple[float, float, float] | None,
    ) -> None:
        self._config, self._response, self._rise = config, response, rise
        self._largest_sum = config.integral_limit * tolerance
        self._longest = response.step * response.max_width / response.width
        self._sum = torch.zeros_like(targets)
        self._error = torch.zeros_like(targets)  # of the last round; 0 where all is forgotten
        self._is_saturated = torch.zeros_like(targets, dtype=torch.bool)
        self._best = torch.full_like(targets, torch.inf)
        self._stalled = torch.zeros_like(targets, dtype=torch.int32)
        self._voltages = None if rise is None else torch.full_like(targets, rise[0])

    def pulses(self, error: torch.Tensor, missed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        self._start_anew(~missed | (error * self._error <= 0))
        self._raise_voltages(error.abs(), missed)
        removed = self._error.abs() - error.abs()
        owed = self._sum.abs() + error.abs().masked_fill(self._is_saturated, 0.0)
        self._sum = (owed - removed.clamp(min=0)).clamp(0, self._largest_sum) * error.sign()
        wanted = self._config.proportional * error + self._config.integral * self._sum
        self._is_saturated = wanted.abs() > self._longest
        self._error = error
        return pulse_widths(wanted, self._response), self._voltages

    def _start_anew(self, turned: torch.Tensor) -> None:
        """Forget what was gathered before the target was met or passed."""
        self._error = self._error.masked_fill(turned, 0.0)
        self._sum = self._sum.masked_fill(turned, 0.0)
        self._is_saturated = self._is_saturated & ~turned
        self._best = self._best.masked_fill(turned, torch.inf)
        self._stalled = self._stalled.masked_fill(turned, 0)
        if self._voltages is not None and self._rise is not None:
            self._voltages = self._voltages.masked_fill(turned, self._rise[0])

    def _raise_voltages(self, size: torch.Tensor, missed: torch.Tensor) -> None:
        """A step up for cells that do not come nearer."""
        if self._voltages is None or self._rise is None:
            return
        _, step, highest = self._rise
        moved = size <= (1 - self._config.progress) * self._best
        self._best = torch.where(moved & missed, size, self._best)
        self._stalled = torch.where(moved, 0, self._stalled + missed.int())
        raised = self._stalled >= self._config.patience
        self._voltages = torch.where(raised, (self._voltages + step).clamp(max=highest), self._voltages)
        self._best = torch.where(raised, size, self._best)
        self._stalled = self._stalled.masked_fill(raised, 0)
        self._sum = self._sum.masked_fill(raised, 0.0)
