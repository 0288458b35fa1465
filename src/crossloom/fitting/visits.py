"""Visits: what was read of one cell at one time after it was written."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch

from crossloom.errors import DataError
from crossloom.fitting.reading import Table
from crossloom.fitting.slices import number_times


@dataclass(frozen=True)
class Visits:
    """Readings of a file, put together by cell, write, target and time.

    conductance: [visit], S, the mean of the readings.  num_reads: [visit].  squares: [visit], S², sum over the
    readings of the squared distance from their mean.  target: [visit], S, or None.  elapsed: [visit], s, or None.
    cell: [visit], numbered from 0.  writing: [visit], which writing of which cell, numbered from 0.
    reading_of: [row], the visit that a reading belongs to.  readings: [row], S.
    """

    conductance: torch.Tensor
    num_reads: torch.Tensor
    squares: torch.Tensor
    target: torch.Tensor | None
    elapsed: torch.Tensor | None
    cell: torch.Tensor
    writing: torch.Tensor
    reading_of: torch.Tensor
    readings: torch.Tensor

    @property
    def num_cells(self) -> int:
        return int(self.cell.max()) + 1

    @property
    def num_repeated(self) -> int:
        """How many visits have more than one reading."""
        return int((self.num_reads > 1).sum())


def gather_visits(table: Table) -> Visits:
    """The visits of a table with `conductance`. DataError when a read is there twice.

    Rows without a cell are each a cell of its own. Reads with numbers belong together when their times are about
    the same, for instruments note the time of each; without numbers, only when times are equal.
    """
    cell = table.labels.get("cell", np.arange(table.num_rows))
    target, elapsed = table.values.get("target"), table.values.get("elapsed")
    written = _number(cell, table.labels.get("write"), target)
    visit = _number(written, elapsed)
    if "read" in table.labels and "cell" in table.labels:
        if elapsed is not None:
            visit = _number(written, number_times(torch.from_numpy(elapsed)).numpy())
        _refuse_a_read_twice(table, visit)
    elif target is not None:
        _refuse_twice(
            table,
            visit,
            "cell",
            "the same cell, target and time again; tell repeated reads apart in a "
            "column `read`, repeated writes in a column `write`",
        )
    first = np.unique(visit, return_index=True)[1]
    readings, of = torch.from_numpy(table.values["conductance"]), torch.from_numpy(visit)
    count = torch.bincount(of).double()
    mean = torch.zeros_like(count).index_add_(0, of, readings) / count
    squares = torch.zeros_like(count).index_add_(0, of, (readings - mean[of]).square())
    return Visits(
        conductance=mean,
        num_reads=count,
        squares=squares,
        target=None if target is None else torch.from_numpy(target[first]),
        elapsed=None if elapsed is None else torch.from_numpy(elapsed[first]),
        cell=torch.from_numpy(cell[first]),
        writing=torch.from_numpy(written[first]),
        reading_of=of,
        readings=readings,
    )


def _number(*keys: np.ndarray | None) -> np.ndarray:
    """Rows that agree in every key get the same number, from 0 on."""

    def join(numbers: np.ndarray, key: np.ndarray) -> np.ndarray:
        codes = np.unique(key, return_inverse=True)[1]
        return np.unique(numbers * (codes.max() + 1) + codes, return_inverse=True)[1]

    given = [key for key in keys if key is not None]
    return reduce(join, given, np.zeros(len(given[0]), np.int64)).astype(np.int64)


def _refuse_a_read_twice(table: Table, visit: np.ndarray) -> None:
    number = _number(visit, table.labels["read"])
    advice = "this read of this cell again; number reads anew, or tell writes apart in a column `write`"
    _refuse_twice(table, number, "read", advice)


def _refuse_twice(table: Table, number: np.ndarray, column: str, advice: str) -> None:
    """DataError that names the first line with a number that an earlier line has."""
    first = np.unique(number, return_index=True)[1]
    if len(first) < len(number):
        again = np.setdiff1d(np.arange(len(number)), first)[0]
        raise DataError(f"{table.name}, line {table.lines[again]}, column {column}: {advice}")
