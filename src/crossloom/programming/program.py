"""The stage: a placement is written into chips."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from crossloom.artefacts import Artefact, saved
from crossloom.errors import ArtefactError, ConfigError, ProgramError
from crossloom.hardware import Backend, backends, copied, restored, stored
from crossloom.placement import Placement
from crossloom.programming.corrections import (
    Corrected,
    Corrections,
    check_fits,
    measured_digest,
    placement_digest,
)
from crossloom.programming.plan import PlannedTile, plan_programming
from crossloom.programming.report import ProgrammingReport
from crossloom.programming.rounds import RoundsBackend, RoundsChips, check_lasting
from crossloom.programming.strategies import Strategy, usual_strategy
from crossloom.programming.streaming import ReplayedTiles, StreamedBackend, StreamedChips, stream
from crossloom.programming.writing import write_tiles
from crossloom.progress import track
from crossloom.spec import SystemSpec


@dataclass(frozen=True)
class ProgrammedChips(Artefact):
    """Chips that hold a placement. `report` is None when somebody else programmed them.

    corrections: what calibration found, which runs apply.  elapsed: s, since programming had settled.
    """

    placement: Placement
    backend: Backend = field(repr=False)
    report: ProgrammingReport | None
    corrections: Corrections | None = field(default=None, repr=False)
    elapsed: float = 0.0

    def summary(self) -> str:
        """What the chips hold, and how well."""
        how = (
            self.report.summary()
            if self.report
            else "not programmed by this flow: cells are as they were found"
        )
        layers = {} if self.corrections is None else self.corrections.layers
        calibrated = f"; {len(layers)} layers calibrated" if layers else ""
        aged = f"; {self.elapsed:g} s since" if self.elapsed else ""
        name = f"ProgrammedChips of {self.placement.system.name} ({type(self.backend).__name__})"
        return f"{name}: {how}{aged}{calibrated}"

    @cached_property
    def digests(self) -> tuple[str, str]:
        """Names for what these chips hold, and for these chips; "unknown" where somebody else programmed them."""
        return placement_digest(self.placement), self._chips_digest()

    def _chips_digest(self) -> str:
        if self.report is None:
            return "unknown"
        return self.report.digest or measured_digest(tile.error for tile in self.report.tiles)

    def with_calibration(self, calibration: Corrected | None) -> "ProgrammedChips":
        """The same chips, whose runs apply this calibration; None takes off what they have.

        Raises ProgramError when it was measured on other chips, or for another placement.
        """
        if calibration is None:
            return replace(self, corrections=None)
        check_fits(calibration.corrections, self.placement.system.name, *self.digests)
        return replace(self, corrections=calibration.corrections)

    def to_saved(self) -> Any:
        """The chips with the backend's state. BackendError when the backend has none that can be kept."""
        (kind, state), report = stored(self.backend), self.report
        if isinstance(state, StreamedChips | RoundsChips):
            state = state.without(self.placement)
        if isinstance(self.backend, StreamedBackend):
            report = report and replace(report, tiles=())
        return _SavedChips(self.placement, kind, state, report, self.corrections, self.elapsed)

    @classmethod
    def prepare(cls, plain: Any) -> None:
        """Load the backend by its name, so that the state of its chips is known."""
        fields = plain["fields"]
        backends[fields["backend"]]
        if fields["backend"] in (StreamedBackend.kind, RoundsBackend.kind):
            backends[fields["state"]["fields"]["kind"]]

    @classmethod
    def from_saved(cls, value: Any) -> Self:
        """The chips again, on a backend made from the state that was kept."""
        if not isinstance(value, _SavedChips):
            raise ArtefactError(f"holds a {type(value).__name__}, not chips")
        state, report = value.state, value.report
        if isinstance(state, StreamedChips | RoundsChips):
            state = state.with_placement(value.placement)
        backend = restored(value.backend, state)
        if isinstance(backend, StreamedBackend) and report is not None:
            report = replace(report, tiles=ReplayedTiles(backend.divisible, backend.past.until_written()))
        return cls(value.placement, backend, report, value.corrections, value.elapsed)


@saved
@dataclass(frozen=True)
class _SavedChips:
    placement: Placement
    backend: str
    state: Any
    report: ProgrammingReport | None
    corrections: Corrections | None = None
    elapsed: float = 0.0


def program(
    placement: Placement,
    backend: Backend,
    strategy: Strategy | None = None,
    settle: float = 1.0,
    *,
    memory: int | str | None = None,
) -> ProgrammedChips:
    """Write every tile into its region, wait `settle` seconds, and measure what is there.

    A placement of several rounds is written round by round to see how that goes, and by every run again.

    The strategy is `WriteVerify()` unless given, and `DirectSet()` where cells are ideal. A backend that
    can be copied is left as it was.

    memory: bytes, or text as "4 GiB": the most that programming and runs shall take beside the network itself; macros
    are then made when they are used and dropped when room is short, each as it would be if it were kept. None keeps
    all of them.

    Raises ProgramError when the backend is another system, or cannot make macros again, and ConfigError for an
    impossible wait or too little memory, before any pulse.
    """
    chips = backend.base if isinstance(backend, StreamedBackend | RoundsBackend) else backend
    strategy = strategy or usual_strategy(chips)
    if not settle >= 0:
        raise ConfigError(f"need settle >= 0 seconds, got {settle}")
    _check_system(placement, backend)
    strategy.check(chips)
    if placement.rounds:
        return _program_rounds(placement, chips, strategy, settle, memory)
    if memory is not None or isinstance(backend, StreamedBackend):
        return ProgrammedChips(placement, *stream(placement, backend, strategy, settle, memory))
    tolerance, name = strategy.tolerance_for(backend), type(strategy).__name__
    plan = plan_programming(placement)
    backend = copied(backend)
    reports = write_tiles(plan.tiles, backend, strategy, settle, _watched)
    return ProgrammedChips(placement, backend, ProgrammingReport(name, tolerance, settle, reports))


def _program_rounds(
    placement: Placement, chips: Backend, strategy: Strategy, settle: float, memory: int | str | None
) -> ProgrammedChips:
    """Write every round once, one after the other, to see how that goes; runs write them again."""
    if memory is not None:
        raise ProgramError(
            "chips that are written in rounds are kept in memory as a whole, and are small; leave out memory="
        )
    backend = RoundsBackend(chips, placement, strategy, settle).copy()
    rounds = track(range(placement.num_rounds), "programming", placement.num_rounds)
    reports = tuple(report for number in rounds for report in backend.enter(number))
    name, tolerance = type(strategy).__name__, strategy.tolerance_for(chips)
    return ProgrammedChips(placement, backend, ProgrammingReport(name, tolerance, settle, reports))


def _watched(tiles: Sequence[PlannedTile]) -> Iterable[PlannedTile]:
    return track(tiles, "programming", len(tiles))


def attach(placement: Placement, backend: Backend) -> ProgrammedChips:
    """Take chips as they are, programmed by somebody else, or not at all: runs on them will say so."""
    _check_system(placement, backend)
    check_lasting(placement, "attach")
    return ProgrammedChips(placement, backend, None)


def _check_system(placement: Placement, backend: Backend) -> None:
    wanted, got = _line(placement.system), _line(backend.spec)
    differing = [name for name, value in wanted.items() if got[name] != value]
    if differing:
        raise ProgramError(
            f"the placement is for {placement.system.name}, the backend is {backend.spec.name} with other "
            f"{', '.join(differing)}; place it on {backend.spec.name}"
        )


def _line(system: SystemSpec) -> dict[str, Any]:
    """All of a system that placements rely on: addresses, crossbars, and what codes mean. Not what cells do."""
    macro, readout = system.macro, system.macro.readout
    return {
        "macros": (system.num_chips, system.chip.num_cores, system.chip.core.num_macros),
        "crossbars": (macro.crossbar.num_rows, macro.crossbar.num_columns, macro.pairing),
        "conductances": (macro.cell.g_min, macro.cell.g_max, macro.cell.num_levels),
        "drivers": (macro.dac.bits, macro.dac.is_signed, macro.dac.read_voltage, macro.input_modes),
        "converters": (readout.bits, readout.is_signed, readout.integrator),
    }
