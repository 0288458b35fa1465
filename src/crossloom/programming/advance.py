"""Time passes: programmed chips age."""

from dataclasses import replace
from math import isfinite

from crossloom.errors import ConfigError, ProgramError
from crossloom.hardware import Timed, copied
from crossloom.programming.program import ProgrammedChips
from crossloom.programming.rounds import check_lasting


def advance(chips: ProgrammedChips, elapsed: float) -> ProgrammedChips:
    """The chips `elapsed` seconds later; `advance(chips, 0)` are the chips.

    A backend that can be copied is left as it was, so that the same chips can be looked at again at other times;
    one that can only wait waits, and both values then name the same chips.

    Raises ConfigError for a time that cannot pass, and ProgramError for a backend that knows no time
    or is written anew for every batch.
    """
    if not (isfinite(elapsed) and elapsed >= 0):
        raise ConfigError(f"need elapsed >= 0 seconds, got {elapsed}")
    check_lasting(chips.placement, "advance")
    if elapsed == 0:
        return chips
    backend = chips.backend
    if not isinstance(backend, Timed):
        raise ProgramError(
            f"a {type(backend).__name__} cannot let time pass; use a backend with wait(elapsed)"
        )
    backend = copied(backend)
    assert isinstance(backend, Timed)
    backend.wait(elapsed)
    return replace(chips, backend=backend, elapsed=chips.elapsed + elapsed)
