"""What an objective says of one point, and the point with all that is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from crossloom.artefacts import saved
from crossloom.errors import SearchError

State = Literal["done", "failed", "running", "waiting"]


@saved
@dataclass(frozen=True)
class Outcome:
    """The figures of one point.

    values: by name; goals are among them, and whatever else is worth keeping.
    errors: their standard errors over chips (same units), where they are known.
    cost: compute spent on them, in any one unit; None for seconds of the clock.
    """

    values: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)
    cost: float | None = None

    def __post_init__(self) -> None:
        strange = [name for name in self.errors if name not in self.values]
        if strange:
            raise SearchError(f"an error of {strange[0]!r} came without its value; name both alike")


@saved
@dataclass(frozen=True)
class Point:
    """One point of a study.

    number: counted from 0 in the order in which points were proposed.
    values: of every knob.  fidelity: in (0, 1]; 1 is the whole evaluation.
    outcome: once it is done.  failure: the traceback of one that failed.  seconds: of the clock, spent on it.
    repeats: the number of the earlier point that this one equals, whose outcome it shares and which alone was run.
    """

    number: int
    values: Mapping[str, Any]
    fidelity: float = 1.0
    state: State = "done"
    outcome: Outcome | None = None
    failure: str | None = None
    seconds: float | None = None
    repeats: int | None = None

    @property
    def cost(self) -> float:
        """What this point added to the compute spent: as its outcome says, else its seconds; 0 for a repeat."""
        if self.repeats is not None:
            return 0.0
        if self.outcome is not None and self.outcome.cost is not None:
            return self.outcome.cost
        return self.seconds or 0.0


def as_outcome(result: Any, goals: Mapping[str, Any]) -> Outcome:
    """What an objective returned, as an Outcome of floats: a number (with one goal), a mapping, or an Outcome.

    Raises SearchError for what is neither or lacks a goal, ValueError for what is NaN or infinite.
    """
    outcome = result if isinstance(result, Outcome) else Outcome(_named(result, goals))
    missing = [name for name in goals if name not in outcome.values]
    if missing:
        given = ", ".join(map(str, outcome.values)) or "nothing"
        raise SearchError(
            f"the objective returned {given}; wanted {', '.join(missing)} too: return them, or seek other goals"
        )
    cost = None if outcome.cost is None else _finite("the cost", outcome.cost)
    if cost is not None and cost < 0:
        raise ValueError(f"the objective returned a cost of {cost:g}; wanted none below zero")
    values = {str(name): _finite(name, value) for name, value in outcome.values.items()}
    errors = {str(name): _finite(f"the error of {name}", error) for name, error in outcome.errors.items()}
    return Outcome(values, errors, cost)


def _named(result: Any, goals: Mapping[str, Any]) -> Mapping[str, float]:
    if isinstance(result, Mapping):
        return result
    if len(goals) > 1 or result is None:
        raise SearchError(
            f"the objective returned a {type(result).__name__}; wanted a mapping with {', '.join(goals)}"
        )
    return {next(iter(goals)): result}


def _finite(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise SearchError(f"the objective returned {value!r} as {name}; wanted a number") from None
    if not isfinite(number):
        raise ValueError(f"the objective returned {number} as {name}; wanted a finite number")
    return number
