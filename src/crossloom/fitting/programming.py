"""Programming error, and which rows say what time adds to it."""

from dataclasses import dataclass

import torch

from crossloom.errors import DataError
from crossloom.fitting.config import FitConfig
from crossloom.fitting.drift import fit_drift
from crossloom.fitting.found import Found
from crossloom.fitting.moments import fit_moment
from crossloom.fitting.relaxation import Changes, fit_logarithmic, fit_table
from crossloom.fitting.slices import slice_times
from crossloom.fitting.spreads import Errors
from crossloom.fitting.visits import Visits
from crossloom.spec import SpreadSpec
from crossloom.units import format_si

_UNSEPARATED = (
    "no cell was read twice, so that errors hold the noise of a read besides; repeat reads to part them"
)


@dataclass(frozen=True)
class Known:
    """What is known before: the read noise, if any was fitted, and the scale of polynomials (S)."""

    read_noise: SpreadSpec | None
    scale: float

    def noise(self, visits: Visits, which: torch.Tensor) -> torch.Tensor | None:
        """[visit], S², of the mean of the reads of these visits; None when not known."""
        if self.read_noise is None:
            return None
        return self.read_noise.at(visits.conductance[which]).square() / visits.num_reads[which]


def fit_programming(visits: Visits, known: Known, config: FitConfig) -> Found:
    """Programming error where there are targets; relaxation or drift where there are times.

    Errors at the earliest time are the programming error. Where that time is 0, relaxation is what changes after
    it, cell by cell; else its spreads are those of the whole error (`is_total`).
    """
    notes = (_UNSEPARATED,) if known.read_noise is None else ()
    if visits.elapsed is None:
        when, times = torch.zeros(len(visits.conductance), dtype=torch.int64), [0.0]
    elif config.over_time == "tabulated":
        times, when = slice_times(visits.elapsed)
    else:
        times, when = [visits.elapsed.min().item()], (visits.elapsed > visits.elapsed.min() * 1.3).long()
    first = when == 0
    found = Found(notes=notes) + _programming_error(visits, first, times[0], known, config)
    if bool(first.all()):
        return found if visits.elapsed is None else found + Found(notes=(_one_time(times[0]),))
    if config.over_time == "drift":
        return found + fit_drift(visits, known.scale, config)
    changes, left_out = _changes(visits, first, times[0], known)
    found += Found(notes=left_out)
    if config.over_time == "logarithmic":
        return found + fit_logarithmic(changes, config)
    return found + fit_table(changes, when[changes.which], times, config)


def _programming_error(
    visits: Visits, first: torch.Tensor, time: float, known: Known, config: FitConfig
) -> Found:
    if visits.target is None:
        return Found(notes=("programming error: no column `target`, so that it stays off",))
    target = visits.target[first]
    data = Errors(
        what="programming error",
        scale=known.scale,
        conductance=target,
        groups=visits.cell[first].unique(return_inverse=True)[1],
        errors=visits.conductance[first] - target,
        noise=known.noise(visits, first),
    )
    if data.size == 0:
        return Found(
            notes=("programming error: conductances equal their targets exactly, so that it stays off",)
        )
    moment = fit_moment(data, config, "device.programming_error", "measured.programming_shift")
    found = Found({"programming_error": moment.spread}, effects=moment.effects, notes=moment.notes)
    shift = moment.effects[0].parameters[0] if moment.effects else None
    if time == 0 and shift and not shift.low <= 0 <= shift.high:
        return found + Found(
            notes=(
                f"programming error: cells lie {format_si(shift.value, 'S')} ± {format_si(shift.error, 'S')} beside "
                "their targets on average; the device model has no place for that",
            )
        )
    return found


def _changes(
    visits: Visits, first: torch.Tensor, time: float, known: Known
) -> tuple[Changes, tuple[str, ...]]:
    """Changes since time 0 where cells were measured then, else the whole errors; and what was left out."""
    assert visits.elapsed is not None
    if time > 0:
        if visits.target is None:
            raise DataError(
                "elapsed without targets needs rows at 0 s to tell changes from; add them, or a column target_S"
            )
        every = torch.ones_like(first)
        errors = visits.conductance - visits.target
        return Changes(
            every,
            visits.elapsed,
            errors,
            visits.target,
            visits.cell,
            known.noise(visits, every),
            known.scale,
            True,
        ), ()
    start = torch.full((int(visits.writing.max()) + 1,), -1)
    start[visits.writing[first]] = first.nonzero()[:, 0]
    later = ~first & (start[visits.writing] >= 0)
    left_out = int((~first & ~later).sum())
    before = start[visits.writing[later]]
    noise, noise_before = known.noise(visits, later), known.noise(visits, before)
    changes = Changes(
        which=later,
        elapsed=visits.elapsed[later],
        errors=visits.conductance[later] - visits.conductance[before],
        conductance=(visits.conductance if visits.target is None else visits.target)[before],
        cell=visits.cell[later],
        noise=None if noise is None or noise_before is None else noise + noise_before,
        scale=known.scale,
        is_total=False,
    )
    missing = f"relaxation: {left_out:,} measurements of cells without one at 0 s are left out"
    return changes, (missing,) if left_out else ()


def _one_time(time: float) -> str:
    return f"relaxation: all cells were measured at one time ({time:.3g} s), so that it stays off"
