"""Write-verify with pulses as long as the error asks for."""

from dataclasses import dataclass

import torch

from crossloom.artefacts import saved
from crossloom.hardware import Backend, Region
from crossloom.programming.strategies.session import Session
from crossloom.programming.strategies.strategy import (
    USUAL_MAX_PULSES,
    Strategy,
    Written,
    check_choices,
    usual_tolerance,
)
from crossloom.programming.strategies.verifying import pulse_widths, verify
from crossloom.spec import MacroAddress


@saved
@dataclass(frozen=True)
class WriteVerify(Strategy):
    """Read, compare, pulse where the error is too large, repeat.

    A pulse is as long as the nominal response of a cell asks for, in whole multiples of the shortest. None
    takes what the chip's specification publishes: tolerance in S (else 1 % of g_max), at most max_pulses per
    cell (else 100). keep_trajectory: report what was measured at every verify.
    """

    tolerance: float | None = None
    max_pulses: int | None = None
    keep_trajectory: bool = False

    def __post_init__(self) -> None:
        check_choices(self.tolerance, self.max_pulses)

    def tolerance_for(self, backend: Backend) -> float:
        return usual_tolerance(backend, self.tolerance)

    def write(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        self.check(backend)
        session = Session(backend, address, region, targets, self.keep_trajectory)
        limit = self.max_pulses or session.response.max_pulses or USUAL_MAX_PULSES
        return verify(
            session,
            self.tolerance_for(backend),
            limit,
            lambda error, _: (pulse_widths(error, session.response), None),
        )
