"""From files of measurements to a device."""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from pathlib import Path

from crossloom.errors import DataError
from crossloom.fitting.config import FitConfig
from crossloom.fitting.fit import DeviceFit
from crossloom.fitting.found import Found
from crossloom.fitting.programming import Known, fit_programming
from crossloom.fitting.pulses import fit_pulses, gather_pulses
from crossloom.fitting.reading import Table, read_table
from crossloom.fitting.reads import fit_read_noise
from crossloom.fitting.visits import Visits, gather_visits
from crossloom.spec import GaussianDeviceSpec

_PULSE_COLUMNS = ("width", "conductance_before", "conductance_after")
_CONDUCTANCES = ("conductance", "conductance_before", "conductance_after", "target")


def fit_device(csv: str | Path | Sequence[str | Path], config: FitConfig | None = None) -> DeviceFit:
    """A device model from measurements, with the uncertainty of every number.

    csv: one file or several (`.csv`, `.csv.gz`), each with a header; units stand in it, as `conductance_uS`. Columns
        decide what is fitted:

        - `cell, conductance` with cells that come several times (`read`): read noise;
        - `target, conductance`: programming error;
        - `elapsed` besides, and cells at several times: relaxation, or drift;
        - `width, conductance_before, conductance_after` (`voltage`): the response to pulses.

    Noise of reads is fitted first, and taken out of everything else. docs/fit_your_device.md has every column.

    DataError, in one line with column, line and value, for files that cannot be read or say nothing of a device,
    before anything is fitted; and for measurements that do not determine what they should.
    """
    config = config or FitConfig()
    files = [csv] if isinstance(csv, str | Path) else list(csv)
    if not files:
        raise DataError("fit_device needs at least one CSV file")
    tables = [read_table(file) for file in files]
    for table in tables:
        _check_columns(table)
    highest = max(table.values[name].max() for table in tables for name in _CONDUCTANCES if table.has(name))
    lowest = min(table.values[name].min() for table in tables for name in _CONDUCTANCES if table.has(name))
    if highest <= lowest:
        raise DataError(f"all conductances are {highest:.4g} S; need measurements that differ")
    found = reduce(add, _fit_all(tables, float(highest), config), Found())
    if not found.effects:
        raise DataError(f"nothing can be fitted: {'; '.join(found.notes)}")
    return DeviceFit(
        device=GaussianDeviceSpec(**found.device),
        pulse=found.pulse,
        g_min=float(lowest),
        g_max=float(highest),
        effects=found.effects,
        notes=found.notes,
        files=tuple(table.name for table in tables),
    )


def _check_columns(table: Table) -> None:
    """DataError when a table's columns say nothing, or half of something."""
    pulse_columns = [name for name in _PULSE_COLUMNS if table.has(name)]
    if pulse_columns or table.has("pulse") or table.has("voltage"):
        missing = [name for name in _PULSE_COLUMNS if name not in pulse_columns]
        if missing:
            raise DataError(
                f"{table.name}: pulses need columns {', '.join(_PULSE_COLUMNS)}; {_missing(missing)}"
            )
        return
    if not table.has("conductance"):
        raise DataError(
            f"{table.name}: need a column conductance (or resistance), or {', '.join(_PULSE_COLUMNS)} for pulses, each "
            f"with its unit, such as conductance_uS; got {', '.join([*table.values, *table.labels, *table.ignored])}"
        )
    if not (table.has("target") or table.has("cell")):
        raise DataError(
            f"{table.name}: conductances alone say nothing; add a column target for programming error, or cell for "
            "repeated reads"
        )


def _missing(names: list[str]) -> str:
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"


def _fit_all(tables: list[Table], scale: float, config: FitConfig) -> Iterator[Found]:
    """Read noise first, for what comes after it is corrected for it."""
    for table in tables:
        if table.ignored:
            yield Found(notes=(f"{table.name}: columns not used: {', '.join(table.ignored)}",))
    visits = {table.name: gather_visits(table) for table in tables if table.has("conductance")}
    noise = _read_noise(visits, scale, config)
    yield noise
    known = Known(noise.device.get("read_noise"), scale)
    written = [
        name for name, those in visits.items() if those.target is not None or those.elapsed is not None
    ]
    for name in _only(written, "errors of programming"):
        yield fit_programming(visits[name], known, config)
    pulsed = [table for table in tables if table.has(*_PULSE_COLUMNS)]
    for name in _only([table.name for table in pulsed], "pulses"):
        table = next(table for table in pulsed if table.name == name)
        yield fit_pulses(gather_pulses(table, known.read_noise), config)


def _read_noise(visits: dict[str, Visits], scale: float, config: FitConfig) -> Found:
    """From the file with reads that are repeated; from one without targets, where there are several."""
    repeated = [name for name, those in visits.items() if those.num_repeated]
    plain = [name for name in repeated if visits[name].target is None and visits[name].elapsed is None]
    for name in _only(plain or repeated, "repeated reads"):
        if visits[name].squares.any():
            return fit_read_noise(visits[name], config, scale)
        return Found(notes=("read noise: repeated reads agree exactly, so that it stays off",))
    return Found()


def _only(names: list[str], what: str) -> list[str]:
    if len(names) > 1:
        raise DataError(
            f"{' and '.join(names)} both hold {what}; give one of them, or put them into one file"
        )
    return names
