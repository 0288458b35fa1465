"""A period in the life of programmed chips: they age, are measured, calibrated anew, and written again when due."""

from dataclasses import dataclass, field
from typing import Annotated, Self

from pydantic import Field, model_validator

from crossloom.artefacts import Artefact, saved
from crossloom.calibration import CalibrationConfig, calibrate, measure_errors
from crossloom.errors import ConfigError
from crossloom.programming import ProgrammedChips, Strategy, advance, refresh
from crossloom.progress import track
from crossloom.runtime import Batch
from crossloom.spec import Config
from crossloom.units import format_si

Seconds = Annotated[float, Field(gt=0)]


@saved
class RefreshConfig(Config):
    """When chips are looked after, and what is done.

    check_interval: s between visits, at which errors are measured.
    calibration: with what chips are calibrated anew at every visit, before they are judged; None for not at all.
    interval: cells are written again at the first visit so many seconds after they were; None for never.
    bound: cells are written again when, at a visit, a layer's error (NMSE) is above this; None for never.
    """

    check_interval: Seconds
    calibration: CalibrationConfig | None = None
    interval: Seconds | None = None
    bound: Seconds | None = None

    @model_validator(mode="after")
    def _something_is_done(self) -> Self:
        if self.calibration is None and self.interval is None and self.bound is None:
            raise ValueError("nothing would be done: give interval, bound or calibration")
        return self


@saved
@dataclass(frozen=True)
class Visit:
    """One look at the chips.

    elapsed: s since the period began.  error: of the worst layer as found (NMSE), calibrated if that was asked for.
    error_left: the same when the visit was over.  num_mvms: of tiles, for measuring.  The rest is what writing took:
    cells with a pulse (all of them where the chip sets its cells itself), pulses, cells that missed their target,
    and where they are known the time of all pulses (s) and their energy (J).
    """

    elapsed: float
    error: float
    error_left: float
    is_refreshed: bool
    num_mvms: int = 0
    num_cells: int = 0
    num_pulses: int = 0
    num_failed: int = 0
    write_time: float | None = None
    energy: float | None = None


@saved
@dataclass(frozen=True)
class MaintenanceReport(Artefact):
    """All visits of a period of `duration` seconds."""

    config: RefreshConfig
    duration: float
    visits: tuple[Visit, ...] = field(repr=False)

    @property
    def num_refreshes(self) -> int:
        return sum(visit.is_refreshed for visit in self.visits)

    @property
    def num_cells(self) -> int:
        """Cells written, each as often as it was."""
        return sum(visit.num_cells for visit in self.visits)

    @property
    def num_pulses(self) -> int:
        return sum(visit.num_pulses for visit in self.visits)

    @property
    def write_time(self) -> float | None:
        """All pulses one after the other, s; None where they were not timed, or there were none."""
        return _total([visit.write_time for visit in self.visits if visit.is_refreshed])

    @property
    def energy(self) -> float | None:
        """Of all pulses, J; None where their voltage is not known, or there were none."""
        return _total([visit.energy for visit in self.visits if visit.is_refreshed])

    @property
    def worst_error(self) -> float:
        """The largest error (NMSE) that any visit found in any layer."""
        return max((visit.error for visit in self.visits), default=0.0)

    def summary(self) -> str:
        """What the period took."""
        time = "" if self.write_time is None else f", {format_si(self.write_time, 's')} of pulses"
        energy = "" if self.energy is None else f", {format_si(self.energy, 'J')}"
        return (
            f"MaintenanceReport: {len(self.visits)} visits in {self.duration:g} s, {self.num_refreshes} refreshes: "
            f"{self.num_cells:,} cells written, {self.num_pulses:,} pulses{time}{energy}; error of the worst layer "
            f"{self.worst_error:.3g} at most"
        )


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def maintain(
    chips: ProgrammedChips,
    duration: float,
    data: Batch,
    config: RefreshConfig,
    strategy: Strategy | None = None,
) -> tuple[ProgrammedChips, MaintenanceReport]:
    """Let `duration` seconds pass, with a visit every `config.check_interval`: the chips at the end, and the report.

    data: samples as for `calibrate`, by which errors are measured.  strategy: how cells are written again, as for
    `program`. On chips that can only wait this takes as long as it says.

    Raises ConfigError for a period that is shorter than its first visit, and what `calibrate` and `program` raise.
    """
    if not duration >= config.check_interval:
        raise ConfigError(
            f"need duration >= check_interval ({config.check_interval:g} s), got {duration:g}; nobody would look"
        )
    times = [config.check_interval * number for number in range(1, int(duration / config.check_interval) + 1)]
    visits: list[Visit] = []
    now, written = 0.0, 0.0
    for time in track(times, "maintaining", len(times)):
        chips, now = advance(chips, time - now), time
        chips, visit = _visit(chips, data, config, strategy, time, time - written)
        written = time if visit.is_refreshed else written
        visits.append(visit)
    return advance(chips, max(duration - now, 0.0)), MaintenanceReport(config, duration, tuple(visits))


def _visit(
    chips: ProgrammedChips,
    data: Batch,
    config: RefreshConfig,
    strategy: Strategy | None,
    time: float,
    since: float,
) -> tuple[ProgrammedChips, Visit]:
    chips, error, num_mvms = _judge(chips, data, config)
    is_due = config.interval is not None and since >= config.interval * (1 - 1e-9)
    is_bad = config.bound is not None and error > config.bound
    if not (is_due or is_bad):
        return chips, Visit(time, error, error, False, num_mvms)
    chips = refresh(chips, strategy)
    report = chips.report
    assert report is not None
    chips, left, more = _judge(chips, data, config)
    touched = sum(tile.num_touched for tile in report.totals) or report.num_cells
    cost = (touched, report.num_pulses, report.num_failed, report.write_time, report.energy)
    return chips, Visit(time, error, left, True, num_mvms + more, *cost)


def _judge(chips: ProgrammedChips, data: Batch, config: RefreshConfig) -> tuple[ProgrammedChips, float, int]:
    """The chips, calibrated if asked for, the error of their worst layer, and the MVMs that took."""
    if config.calibration is None:
        errors = measure_errors(chips, data)
        return chips, errors.worst, errors.num_mvms
    found = calibrate(chips, data, config.calibration)
    return chips.with_calibration(found), max(found.errors_after.values(), default=0.0), found.num_mvms
