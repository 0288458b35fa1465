"""CSV files of measurements, checked before anything is fitted."""

import csv
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossloom.errors import DataError
from crossloom.fitting.columns import Column, parse_column

_NOT_NEGATIVE = ("conductance", "conductance_before", "conductance_after", "target", "elapsed", "voltage")


@dataclass(frozen=True)
class Table:
    """The measurements of one file, in SI.

    values: float64 [row] by quantity.  labels: int64 [row], cells, writes, reads and pulses numbered from 0.
    lines: int64 [row], where each row stands in the file.  ignored: headers of columns that are not ours.
    """

    name: str
    values: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    lines: np.ndarray = field(repr=False)
    ignored: tuple[str, ...] = ()

    @property
    def num_rows(self) -> int:
        return len(self.lines)

    def has(self, *quantities: str) -> bool:
        return all(quantity in self.values or quantity in self.labels for quantity in quantities)


def read_table(path: str | Path) -> Table:
    """A `.csv` or `.csv.gz` file with a header; lines that begin with # are comments.

    DataError, with the column, line and value, for a file that is missing, damaged or empty, and for columns and
    values that cannot be.
    """
    path = Path(path)
    header, rows, lines = _read_rows(path)
    columns = [_parse(path, name) for name in header]
    found = [column.quantity for column in columns if column]
    for quantity in found:
        if found.count(quantity) > 1:
            twice = [column.header for column in columns if column and column.quantity == quantity]
            raise DataError(f"{path}: columns {' and '.join(twice)} hold the same; keep one of them")
    values, labels = {}, {}
    for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
        if column and column.is_label:
            labels[column.quantity] = _number_labels(path, column, cells, lines)
        elif column:
            values[column.quantity] = _to_si(path, column, cells, lines)
    ignored = tuple(name for name, column in zip(header, columns, strict=True) if column is None)
    return Table(path.name, values, labels, lines, ignored)


def _read_rows(path: Path) -> tuple[list[str], list[list[str]], np.ndarray]:
    """Header, rows and their line numbers; every row as long as the header."""
    numbered: list[tuple[int, list[str]]] = []
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            numbered = [(reader.line_num, row) for row in reader if row and not row[0].startswith("#")]
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; give a .csv or .csv.gz file") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from None
    if not numbered:
        raise DataError(f"{path} is empty; give a header and at least one row")
    header = [name.strip() for name in numbered[0][1]]
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise DataError(f"{path}: columns must be parted by commas, got {header[0][:40]!r}")
    if len(numbered) == 1:
        raise DataError(f"{path} has a header and no rows")
    for line, row in numbered[1:]:
        if len(row) != len(header):
            raise DataError(f"{path}, line {line}: need {len(header)} values, got {len(row)}")
    return header, [row for _, row in numbered[1:]], np.array([line for line, _ in numbered[1:]])


def _parse(path: Path, header: str) -> Column | None:
    try:
        return parse_column(header)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _number_labels(path: Path, column: Column, cells: Iterable[str], lines: np.ndarray) -> np.ndarray:
    names = np.array([cell.strip() for cell in cells])
    _refuse(path, column, names == "", lines, names, "need a name or a number")
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _to_si(path: Path, column: Column, cells: Iterable[str], lines: np.ndarray) -> np.ndarray:
    texts = np.array([cell.strip() for cell in cells])
    try:
        numbers = texts.astype(np.float64)
    except ValueError:
        _refuse(
            path, column, np.array([not _is_number(text) for text in texts]), lines, texts, "need a number"
        )
        raise
    _refuse(path, column, ~np.isfinite(numbers), lines, texts, "need a finite number")
    if column.is_inverse:
        _refuse(path, column, numbers <= 0, lines, texts, "need a resistance above 0")
        return 1 / (numbers * column.factor)
    if column.quantity in _NOT_NEGATIVE:
        advice = "; the sign of a pulse is that of its width" if column.quantity == "voltage" else ""
        _refuse(path, column, numbers < 0, lines, texts, f"need at least 0{advice}")
    return numbers * column.factor


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse(
    path: Path, column: Column, wrong: np.ndarray, lines: np.ndarray, texts: np.ndarray, wanted: str
) -> None:
    """DataError that names the first wrong value, if there is one."""
    if wrong.any():
        row = int(wrong.argmax())
        more = f" (and {wrong.sum() - 1:,} more)" if wrong.sum() > 1 else ""
        raise DataError(
            f"{path}, line {lines[row]}, column {column.header}: {wanted}, got {str(texts[row])!r}{more}"
        )
