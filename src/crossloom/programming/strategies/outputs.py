"""What the products of test inputs say about the cells behind them."""

import torch

from crossloom.circuits import effective_array
from crossloom.hardware import Backend, DenseCodes, Draw, InputFormat, MvmCommand, Region, Wiring
from crossloom.mapping import legal_integration_time
from crossloom.seeds import derive_generator
from crossloom.spec import MacroAddress

_USED_RANGE = 0.9  # of the converter, by the largest wanted product
_RIDGE = 1e-9  # so that inputs that happen to be drawn twice do no harm
_USUAL_LEVELS = 16  # only a unit: conductances between levels are as good


class OutputProbe:
    """Test inputs for one region, and the matrix behind its outputs by least squares.

    Rows or columns count as pairs where the macro pairs them and the region is a whole number of pairs.
    """

    def __init__(
        self,
        backend: Backend,
        address: MacroAddress,
        region: Region,
        targets: torch.Tensor,
        num_vectors: int | None,
        seed: int,
    ) -> None:
        macro, self._backend = backend.spec.macro, backend
        self._targets, self._wiring = targets, _wiring(backend, region)
        is_signed = macro.readout.is_signed
        inputs = InputFormat(macro.input_modes[0], 2 if is_signed else 1, is_signed)
        cell = macro.cell
        self._level = (cell.g_max - cell.g_min) / ((cell.num_levels or _USUAL_LEVELS) - 1)
        num_inputs = region.num_rows // self._wiring.rows_per_input
        shape = (num_vectors or 2 * (num_inputs + 1), num_inputs)
        drawn = torch.randint(0, 2, shape, generator=derive_generator(seed, "test inputs", *shape))
        self._codes = (2 * drawn - 1 if is_signed else drawn).to(targets)
        self._matrix = effective_array(targets, None, self._wiring, self._level).matrix
        self._wanted = self._codes @ self._matrix
        time = self._time(self._wanted.abs().max().item())
        self._gain = macro.gain(time, self._level)
        self._command = MvmCommand(address, region, inputs, self._wiring, time, self._level)
        self._solve = _least_squares(self._codes)

    @property
    def cells_per_entry(self) -> int:
        """How many cells make one entry of the matrix."""
        return 1 if self._wiring.pairing == "none" else 2

    def errors(self, step: int) -> torch.Tensor:
        """How far every cell's entry of the matrix is from its own: S, [row, column], with the sign of the cell."""
        codes = DenseCodes(self._codes.float(), len(self._codes))
        draw = Draw(-1 - step)  # other noise than any run of the programmed chips meets
        sums = self._backend.mvm(self._command, codes, draw).sums.to(self._wanted)
        return self._at_cells(self._solve @ (sums / self._gain - self._wanted)) * self._level

    def shared_out(self, errors: torch.Tensor, step: float) -> torch.Tensor:
        """The part of its entry's error (S) that each cell shall remove.

        The cells of a pair take half each; but an error too small for two pulses of `step` (S) goes to the cell of
        the higher target, and 0 to the other.
        """
        if self.cells_per_entry == 1:
            return errors
        is_second = self._at_cells(torch.ones_like(self._matrix)) < 0
        takes_all = (self._targets - self._partners()) > 0
        takes_all |= (self._targets == self._partners()) & ~is_second
        first = torch.zeros_like(takes_all)
        first[
            :: 2 if self._wiring.pairing == "rows" else 1, :: 2 if self._wiring.pairing == "columns" else 1
        ] = True
        takes_all = takes_all & ((self._targets != self._partners()) | first)
        return torch.where(errors.abs() < 2 * step, errors * takes_all, errors / 2)

    def _partners(self) -> torch.Tensor:
        """The target of the other cell of every pair."""
        axis = 0 if self._wiring.pairing == "rows" else 1
        return self._targets.unflatten(axis, (-1, 2)).flip(axis + 1).flatten(axis, axis + 1)

    def _at_cells(self, matrix: torch.Tensor) -> torch.Tensor:
        """[input, output] to [row, column]; the second cell of a pair counts negative."""
        if self._wiring.pairing == "none":
            return matrix
        axis = 0 if self._wiring.pairing == "rows" else 1
        return torch.stack([matrix, -matrix], axis + 1).flatten(axis, axis + 1)

    def _time(self, largest: float) -> float:
        """The integration time at which the largest wanted product fits the converter."""
        macro = self._backend.spec.macro
        code_range = macro.readout.code_range
        if code_range is None or largest == 0:
            return 1.0
        top = _USED_RANGE * code_range[1]
        return legal_integration_time(top / (largest * macro.gain(1.0, self._level)), macro)


def _wiring(backend: Backend, region: Region) -> Wiring:
    pairing = backend.spec.macro.pairing
    size = region.num_columns if pairing == "columns" else region.num_rows
    return Wiring("none" if size % 2 else pairing)


def _least_squares(codes: torch.Tensor) -> torch.Tensor:
    """What turns outputs [vector, output] into the matrix [input, output], beside an offset for every output.

    Fewer vectors than unknowns give the smallest matrix that explains the outputs.
    """
    inputs = torch.cat([codes, codes.new_ones(len(codes), 1)], 1)
    is_wide = inputs.shape[0] < inputs.shape[1]
    gram = inputs @ inputs.T if is_wide else inputs.T @ inputs
    gram.diagonal().add_(_RIDGE * gram.diagonal().mean())
    solved = torch.linalg.solve(gram, inputs) if is_wide else torch.linalg.solve(gram, inputs.T).T
    return solved.T[:-1]
