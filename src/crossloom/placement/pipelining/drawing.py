"""A pipeline as text: one line per resource, time from left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossloom.units import format_si

if TYPE_CHECKING:
    from crossloom.placement.pipelining.operations import PipelineSchedule

_SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyz"


def draw(schedule: PipelineSchedule, width: int, most: int) -> str:
    """The `most` busiest resources, in the order in which they first work; symbols are samples, `.` is idle.

    Where several samples fall on one character, the one that takes most of it is shown.
    """
    shown = list(schedule.busy)[:most]
    if not shown or not schedule.makespan:
        return "nothing takes any time"
    label = max(map(len, shown))
    scale = max(width - label - 2, 1) / schedule.makespan
    shares: dict[str, list[dict[int, float]]] = {
        name: [{} for _ in range(max(width - label - 2, 1))] for name in shown
    }
    for found in schedule.operations:
        if found.resource in shares:
            _mark(shares[found.resource], found.sample, found.start * scale, found.stop * scale)
    order = dict.fromkeys(found.resource for found in schedule.operations if found.resource in shares)
    lines = [f"{name:<{label}}  {''.join(map(_symbol, shares[name]))}" for name in order]
    left_out = len(schedule.busy) - len(shown)
    lines += [f"and {left_out} more that work less"] if left_out else []
    return "\n".join([*lines, f"{'':<{label}}  0 to {format_si(schedule.makespan, 's', 3)}"])


def _mark(cells: list[dict[int, float]], sample: int, start: float, stop: float) -> None:
    first, last = int(start), min(int(stop), len(cells) - 1)
    for at in range(first, last + 1):
        share = min(stop, at + 1) - max(start, at)
        if share > 0:
            cells[at][sample] = cells[at].get(sample, 0.0) + share


def _symbol(shares: dict[int, float]) -> str:
    if not shares:
        return "."
    return _SYMBOLS[max(shares, key=lambda sample: (shares[sample], -sample)) % len(_SYMBOLS)]
