"""The loop that verifying strategies share: read, compare, pulse what missed, repeat."""

from collections.abc import Callable

import torch

from crossloom.programming.strategies.session import Session
from crossloom.programming.strategies.strategy import Written
from crossloom.spec import PulseSpec

# Of `error` (target less measured, S) and `missed` (bool), [row, column]: signed widths (s) and voltages (V or None).
ChoosePulses = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]


def verify(session: Session, tolerance: float, max_pulses: int, choose: ChoosePulses) -> Written:
    """Bring cells to within `tolerance` (S) of their targets by at most `max_pulses` pulses each.

    `choose` is asked once a round for the pulses of all cells, in a new tensor; those of cells that have not missed
    are left out.
    """
    for _ in range(max_pulses):
        error = session.targets - session.read()
        missed = error.abs() > tolerance
        if not missed.any():
            return session.done(missed)
        widths, voltages = choose(error, missed)
        session.pulse(widths.mul_(missed), voltages)
    return session.done((session.targets - session.read()).abs() > tolerance)


def pulse_widths(error: torch.Tensor, response: PulseSpec) -> torch.Tensor:
    """Signed widths (s) of the pulses that should remove `error` (S), in multiples of the shortest."""
    longest = max(int(response.max_width / response.width), 1)
    multiples = (error.abs() / response.step).round_().clamp_(1, longest)
    return multiples.mul_(response.width).mul_(error.sign())
