"""Jump tables: how far one pulse moved a measured cell, as a distribution at every conductance."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from crossloom.errors import SpecError
from crossloom.spec.base import Spec
from crossloom.spec.numbers import NonNegative, Share
from crossloom.spec.packed import Matrix, PackedMatrix, is_rising
from crossloom.spec.spread import Spread

_EDGE = 1e-3  # how far from 0 and 1 a measured distribution may begin and end


class Jumps(Spec):
    """Changes of conductance that one kind of pulse makes.

    conductance: S, rising; where cells were.  probability: rising, the points of the cumulative distribution.
    change: S, [probability, conductance]; down every column it must not fall.
    """

    conductance: Annotated[tuple[NonNegative, ...], Field(min_length=2)]
    probability: Annotated[tuple[Share, ...], Field(min_length=2)]
    change: PackedMatrix

    @model_validator(mode="after")
    def _axes_rise(self) -> Self:
        for name, numbers in (("conductance", self.conductance), ("probability", self.probability)):
            if not is_rising(numbers):
                raise ValueError(f"need {name} that rises from each number to the next")
        if not (self.probability[0] <= _EDGE and self.probability[-1] >= 1 - _EDGE):
            raise ValueError(
                f"need probability from 0 to 1, got {self.probability[0]:g} to {self.probability[-1]:g}: a pulse "
                "must do something whatever is drawn"
            )
        return self

    @model_validator(mode="after")
    def _change_is_a_distribution(self) -> Self:
        check_shape(self.change, len(self.probability), len(self.conductance))
        fall = find_fall(self.change)
        if fall is not None:
            row, column, depth = fall
            raise ValueError(
                f"need change that never falls from one row to the next, but row {row} (probability "
                f"{self.probability[row]:g}) falls by {depth:.3g} S at {self.conductance[column]:.4g} S; "
                "correct it, or read the file with rearranged=True"
            )
        return self


class JumpTable(Spec):
    """Measured effects of pulses: `increasing` of those that set, `decreasing` of those that reset.

    In a specification, `{ path = "table.npz" }` stands for the numbers in that file (see `read`).
    source: where they come from.
    """

    increasing: Jumps
    decreasing: Jumps
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _numbers_in_place_of_a_path(cls, value: Any) -> Any:
        if not (isinstance(value, Mapping) and "path" in value):
            return value
        unknown = set(value) - {"path", "rearranged"}
        if unknown:
            raise ValueError(f"need path and rearranged alone, got {', '.join(sorted(unknown))} too")
        return _fields(value["path"], bool(value.get("rearranged", False)))

    @classmethod
    def read(cls, path: str | Path, rearranged: bool = False) -> Self:
        """The table in an .npz file, or in a folder with `dG_increasing.csv` and `dG_decreasing.csv`.

        rearranged: sort the changes at each conductance, where a table made by interpolation does not quite
        rise: as its probabilities are evenly spaced, the same changes stay equally likely.
        Raises SpecError, naming file, line or row, when it cannot be read or is no distribution.
        """
        try:
            fields = _fields(path, rearranged)
        except ValueError as error:
            raise SpecError(str(error)) from None
        try:
            return cls.parse(fields)
        except SpecError as error:
            raise SpecError(f"{path}: {error}") from None


def _fields(path: str | Path, rearranged: bool) -> dict[str, Any]:
    from crossloom.spec.jump_files import read_jumps, rearrange

    fields = read_jumps(Path(path))
    return {"source": Path(path).name, **(rearrange(fields) if rearranged else fields)}


class JumpTableDeviceSpec(Spec):
    """Cells that jump as measured ones did.

    table: what pulses do; a pulse of n nominal widths counts as n pulses.
    read_noise: S, drawn anew at every read.
    """

    kind: Literal["jump_table"] = "jump_table"
    table: JumpTable
    read_noise: Spread | None = None


def check_shape(matrix: Matrix, num_rows: int, num_columns: int) -> None:
    """ValueError, with the row, unless `matrix` is of this shape and finite."""
    if len(matrix) != num_rows:
        raise ValueError(f"need one row of change per probability: {num_rows}, got {len(matrix)}")
    for number, row in enumerate(matrix):
        if len(row) != num_columns:
            raise ValueError(
                f"need {num_columns} changes, one per conductance, in row {number}, got {len(row)}"
            )
        if not all(map(isfinite, row)):
            raise ValueError(f"need finite changes, row {number} has another")


def find_fall(matrix: Matrix) -> tuple[int, int, float] | None:
    """Row, column and depth of the first place where a row lies below the one before it."""
    for number in range(1, len(matrix)):
        for column, (before, after) in enumerate(zip(matrix[number - 1], matrix[number], strict=True)):
            if after < before:
                return number, column, before - after
    return None
