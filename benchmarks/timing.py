"""Paired timing: figure and floor take turns in one run, and their ratio is what counts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Paired:
    """Median seconds of both, and the median of the ratios of neighbours."""

    floor: float
    ours: float
    ratio: float

    def line(self, name: str, bound: float) -> str:
        """One line of a table."""
        verdict = "holds" if self.ratio <= bound else "MISSED"
        return (
            f"{name:<58} floor {self.floor * 1e3:8.2f} ms   ours {self.ours * 1e3:8.2f} ms   "
            f"{self.ratio:5.2f} x (bound {bound:g} x: {verdict})"
        )


def compare(floor: Callable[[], object], ours: Callable[[], object], rounds: int, warm_up: int = 3) -> Paired:
    """Time both in turns."""
    for _ in range(warm_up):
        floor()
        ours()
    pairs = [(_seconds(floor), _seconds(ours)) for _ in range(rounds)]
    return Paired(
        floor=median(pair[0] for pair in pairs),
        ours=median(pair[1] for pair in pairs),
        ratio=median(pair[1] / pair[0] for pair in pairs),
    )


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
