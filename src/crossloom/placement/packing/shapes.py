"""What a packing is made of: rectangles, forbidden regions, spots. All numbers are counts of cells."""

from dataclasses import dataclass, field
from math import ceil
from operator import index

from crossloom.errors import CapacityError, ConfigError


@dataclass(frozen=True)
class Rectangle:
    """What a tile covers: `num_rows` × `num_columns` cells, at least one of each."""

    num_rows: int
    num_columns: int

    def __post_init__(self) -> None:
        check_counts("a rectangle's sides", 1, self.num_rows, self.num_columns)

    @property
    def num_cells(self) -> int:
        return self.num_rows * self.num_columns


@dataclass(frozen=True)
class Forbidden:
    """Cells of one bin that no rectangle may cover (taken by another model, worn or faulty).

    Regions may overlap each other.
    """

    bin: int
    row: int
    column: int
    num_rows: int
    num_columns: int

    def __post_init__(self) -> None:
        check_counts("a forbidden region's bin, row and column", 0, self.bin, self.row, self.column)
        check_counts("a forbidden region's sides", 1, self.num_rows, self.num_columns)


@dataclass(frozen=True)
class Loads:
    """What each rectangle asks of its bin besides cells (how long it works there), and the most that a bin gives."""

    each: tuple[float, ...]
    most: float

    def __post_init__(self) -> None:
        if not all(load >= 0 for load in self.each):
            raise ConfigError("loads must be numbers of at least 0")
        largest = max(self.each, default=0.0)
        if largest > self.most:
            raise CapacityError(
                f"a tile loads its macro with {largest:g}, more than the {self.most:g} it may"
            )

    @property
    def num_bins(self) -> int:
        """Bins that the loads alone would fill: by their sum, or by those that no two of share a bin."""
        if not self.most:
            return 0
        together = ceil(sum(self.each) / self.most * (1 - 1e-9))
        return max(together, sum(2 * load > self.most for load in self.each))


@dataclass(frozen=True)
class Spot:
    """Where a rectangle lies: its bin, and the row and column of its first cell."""

    bin: int
    row: int
    column: int


@dataclass(frozen=True)
class Packing:
    """Where every rectangle lies, in the order in which they were given.

    `area_bound` is the number of bins that the cells alone would fill: no packing can use fewer. `bound` is the
    sharpest number known of which the same is true.
    """

    spots: tuple[Spot, ...]
    num_bins_used: int
    area_bound: int
    num_cells: int = field(repr=False)
    num_cells_per_bin: int = field(repr=False)
    bound: int = 0

    @property
    def utilization(self) -> float:
        """Share of the cells of the used bins that rectangles cover; 0 if nothing was packed."""
        return self.num_cells / max(1, self.num_bins_used * self.num_cells_per_bin)


def check_counts(what: str, least: int, *values: int) -> None:
    """Raises ConfigError unless every value is a whole number of at least `least`."""
    for value in values:
        try:
            fine = index(value) >= least
        except TypeError:
            fine = False
        if not fine:
            came = ", ".join(map(str, values))
            raise ConfigError(f"{what} must be whole numbers of at least {least}, got {came}")
