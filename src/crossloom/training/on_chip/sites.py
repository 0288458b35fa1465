"""Where the matrices that learn lie: cut to the size of a macro, and put on shelves, macro after macro."""

from dataclasses import dataclass

from crossloom.errors import CapacityError
from crossloom.hardware import Region
from crossloom.spec import MacroAddress, SystemSpec
from crossloom.training.on_chip.pairs import PairLayout


@dataclass(frozen=True)
class LearningTile:
    """The block of a matrix that one region of a crossbar holds; inputs and outputs count over the matrix."""

    address: MacroAddress
    region: Region
    inputs: slice
    outputs: slice


class Shelves:
    """Gives every tile a region of its own, from the first macro of a system on.

    Tiles stand beside one another on a shelf of rows; a tile that is too wide opens the next shelf, one that is too
    high the next macro. Nothing is checked until `check`, so that one error can say what all of them need.
    """

    def __init__(self, spec: SystemSpec) -> None:
        self._spec, self._crossbar = spec, spec.macro.crossbar
        self._macro, self._row, self._column, self._height = 0, 0, 0, 0

    def lay(self, num_inputs: int, num_outputs: int, layout: PairLayout) -> tuple[LearningTile, ...]:
        """Regions for a matrix."""
        most_inputs = max(self._crossbar.num_rows // layout.rows_per_input, 1)
        most_outputs = max(self._crossbar.num_columns // layout.columns_per_output, 1)
        tiles = []
        for first_input in range(0, num_inputs, most_inputs):
            for first_output in range(0, num_outputs, most_outputs):
                inputs = slice(first_input, min(first_input + most_inputs, num_inputs))
                outputs = slice(first_output, min(first_output + most_outputs, num_outputs))
                num_rows = (inputs.stop - inputs.start) * layout.rows_per_input
                num_columns = (outputs.stop - outputs.start) * layout.columns_per_output
                tiles.append(LearningTile(*self._place(num_rows, num_columns), inputs, outputs))
        return tuple(tiles)

    def check(self) -> None:
        """CapacityError when the tiles so far need more macros than the system has."""
        needed, available = self._macro + 1, self._spec.num_macros
        if needed > available:
            raise CapacityError(
                f"these layers and their copies need {needed} macros, {self._spec.name} has {available}; name fewer "
                "in `layers`, or use more chips"
            )

    def _place(self, num_rows: int, num_columns: int) -> tuple[MacroAddress, Region]:
        if self._column + num_columns > self._crossbar.num_columns:
            self._row, self._column, self._height = self._row + self._height, 0, 0
        if self._row + num_rows > self._crossbar.num_rows:
            self._macro, self._row, self._column, self._height = self._macro + 1, 0, 0, 0
        region = Region(self._row, self._column, num_rows, num_columns)
        self._column += num_columns
        self._height = max(self._height, num_rows)
        return self._spec.address(self._macro), region
