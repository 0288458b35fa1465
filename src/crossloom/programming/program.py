"""The stage: a placement is written into chips."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import torch

from crossloom.artefacts import Artefact, saved
from crossloom.errors import ArtefactError, BackendError, ConfigError, ProgramError
from crossloom.hardware import Backend, Copyable, Storable, Timed, backends
from crossloom.placement import Placement
from crossloom.programming.plan import PlannedTile, plan_programming
from crossloom.programming.strategies import Strategy, Written, usual_strategy
from crossloom.progress import track
from crossloom.spec import SystemSpec
from crossloom.units import format_si


@saved
@dataclass(frozen=True)
class TileReport:
    """How one tile was programmed; tensors are [row, column].

    pulses: int32.  failed: cells that missed the tolerance when last verified.  error: what was measured once
    the cells had settled, less the target, S, float32.
    """

    layer: str
    tile: int
    pulses: torch.Tensor = field(repr=False)
    failed: torch.Tensor = field(repr=False)
    error: torch.Tensor = field(repr=False)


@saved
@dataclass(frozen=True)
class ProgrammingReport(Artefact):
    """How all tiles were programmed. `tolerance` in S, None when nothing was verified; `settle` in s."""

    strategy: str
    tolerance: float | None
    settle: float
    tiles: tuple[TileReport, ...] = field(repr=False)

    @property
    def num_cells(self) -> int:
        return sum(tile.error.numel() for tile in self.tiles)

    @property
    def num_pulses(self) -> int:
        return sum(int(tile.pulses.sum()) for tile in self.tiles)

    @property
    def num_failed(self) -> int:
        return sum(int(tile.failed.sum()) for tile in self.tiles)

    @property
    def error_std(self) -> float:
        """Root mean square of what was measured less the target, S."""
        total = sum(tile.error.double().square().sum().item() for tile in self.tiles)
        return (total / max(self.num_cells, 1)) ** 0.5

    def summary(self) -> str:
        """Pulses, failures, and the error that remains."""
        verified = "" if self.tolerance is None else f" within {format_si(self.tolerance, 'S')}"
        return (
            f"ProgrammingReport: {self.num_cells:,} cells by {self.strategy}, {self.num_pulses:,} pulses, "
            f"{self.num_failed:,} not{verified or ' verified'}; error {format_si(self.error_std, 'S')} rms after "
            f"{self.settle:g} s"
        )


@dataclass(frozen=True)
class ProgrammedChips(Artefact):
    """Chips that hold a placement. `report` is None when somebody else programmed them."""

    placement: Placement
    backend: Backend = field(repr=False)
    report: ProgrammingReport | None

    def summary(self) -> str:
        """What the chips hold, and how well."""
        how = (
            self.report.summary()
            if self.report
            else "not programmed by this flow: cells are as they were found"
        )
        return f"ProgrammedChips of {self.placement.system.name} ({type(self.backend).__name__}): {how}"

    def to_saved(self) -> Any:
        """The chips with the backend's state. BackendError when the backend has none that can be kept."""
        if not isinstance(self.backend, Storable):
            raise BackendError(
                f"chips on a {type(self.backend).__name__} cannot be saved: they are not in memory"
            )
        return _SavedChips(self.placement, self.backend.kind, self.backend.to_state(), self.report)

    @classmethod
    def prepare(cls, plain: Any) -> None:
        """Load the backend by its name, so that the state of its chips is known."""
        backends[plain["fields"]["backend"]]

    @classmethod
    def from_saved(cls, value: Any) -> Self:
        """The chips again, on a backend made from the state that was kept."""
        if not isinstance(value, _SavedChips):
            raise ArtefactError(f"holds a {type(value).__name__}, not chips")
        backend = backends[value.backend].from_state(value.state)  # type: ignore[attr-defined]
        return cls(value.placement, backend, value.report)


@saved
@dataclass(frozen=True)
class _SavedChips:
    placement: Placement
    backend: str
    state: Any
    report: ProgrammingReport | None


def program(
    placement: Placement, backend: Backend, strategy: Strategy | None = None, settle: float = 1.0
) -> ProgrammedChips:
    """Write every tile into its region, wait `settle` seconds, and measure what is there.

    The strategy is `WriteVerify()` unless given, and `DirectSet()` where cells are ideal. A backend that
    can be copied is left as it was. Raises ProgramError when the backend is another system, and ConfigError
    for an impossible wait, before any pulse.
    """
    strategy = strategy or usual_strategy(backend)
    if not settle >= 0:
        raise ConfigError(f"need settle >= 0 seconds, got {settle}")
    _check_system(placement, backend)
    tolerance = strategy.tolerance_for(backend)
    plan = plan_programming(placement)
    backend = backend.copy() if isinstance(backend, Copyable) else backend
    written = {
        item.tile: _write(item, backend, strategy)
        for item in track(plan.tiles, "programming", len(plan.tiles))
    }
    if isinstance(backend, Timed):
        backend.wait(settle)
    reports = tuple(_report(item, backend, written) for item in plan.tiles)
    name = type(strategy).__name__
    return ProgrammedChips(placement, backend, ProgrammingReport(name, tolerance, settle, reports))


def attach(placement: Placement, backend: Backend) -> ProgrammedChips:
    """Take chips as they are, programmed by somebody else, or not at all: runs on them will say so."""
    _check_system(placement, backend)
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


def _write(item: PlannedTile, backend: Backend, strategy: Strategy) -> Written:
    return strategy.write(backend, item.address, item.region, item.targets)


def _report(item: PlannedTile, backend: Backend, written: Mapping[int, Written]) -> TileReport:
    measured = backend.read(item.address, item.region).to(item.targets)
    done = written[item.tile]
    error = (measured - item.targets).float()
    return TileReport(item.layer, item.tile, done.pulses, done.failed, error)
