"""What an objective says of one point, and the point with all that is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from crossloom.artefacts import saved
from crossloom.errors import SearchError

_MOST_SHOWN = 80
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
        if not isinstance(self.values, Mapping) or not isinstance(self.errors, Mapping):
            raise SearchError(
                f"an outcome wants figures by name, such as {{'loss': 0.1}}, got {self.values!r}"
            )
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

    @property
    def reason(self) -> str:
        """Of its failure, the line that says what was raised.

        >>> Point(0, {}, failure='Traceback:\\n  File "a.py", line 1, in f\\nValueError: no chip\\nfor this').reason
        'ValueError: no chip'
        """
        lines = (self.failure or "").strip().splitlines() or ["no reason is known"]
        frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
        rest = lines[frames[-1] + 1 :] if frames else lines
        said = (line.strip() for line in rest if line.strip() and not line.startswith(" "))
        return next(said, lines[-1].strip())


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
    if below := [name for name, error in errors.items() if error < 0]:
        raise ValueError(f"the objective returned an error of {below[0]} below zero; wanted standard errors")
    return Outcome(values, errors, cost)


def _named(result: Any, goals: Mapping[str, Any]) -> Mapping[str, float]:
    if isinstance(result, Mapping):
        return result
    if len(goals) > 1 or result is None:
        raise SearchError(
            f"the objective returned a {type(result).__name__}; wanted a mapping with {', '.join(goals)}"
        )
    return {next(iter(goals)): result}


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _finite(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (
        Exception
    ):  # whatever a thing raises that is no number: an array of several, an integer too large, ...
        raise SearchError(f"the objective returned {_show(value)} as {name}; wanted a number") from None
    if not isfinite(number):
        raise ValueError(f"the objective returned {number} as {name}; wanted a finite number")
    return number
