"""What a macro does with codes where its cells are no plain matrix: `MacroFunction`'s twin for `CurvedArray`s."""

from dataclasses import dataclass

import torch

from crossloom.circuits.curved import CurvedArray
from crossloom.circuits.drivers import Drivers, on_rows
from crossloom.circuits.inputs import expand
from crossloom.circuits.macro import Noise, add_up
from crossloom.circuits.readout import convert, count_codes
from crossloom.circuits.staircase import Staircase
from crossloom.errors import BackendError
from crossloom.hardware import Codes, InputFormat, Reading, WindowedCodes, Wiring
from crossloom.spec import DacSpec, ReadoutSpec


@dataclass(frozen=True)
class CurvedMacroFunction:
    """A region of a macro whose every cycle is solved as a circuit; there are no gradients through it.

    gain: codes per level, [output].  offset: codes, [output]; None for none.  level_current: A, of one input step
    on one level.  drivers: None for ideal ones.  staircase: as in `MacroFunction`.
    """

    array: CurvedArray
    wiring: Wiring
    gain: torch.Tensor
    offset: torch.Tensor | None
    level_current: float
    inputs: InputFormat
    dac: DacSpec
    readout: ReadoutSpec
    staircase: Staircase | None = None
    drivers: Drivers | None = None

    @torch.no_grad()
    def __call__(self, codes: Codes, noise: Noise | None = None, with_counts: bool = False) -> Reading:
        """Multiply a batch of codes; as `MacroFunction`."""
        cycles = expand(codes.with_values(codes.values.double()), self.inputs, self.dac)
        rows = self._rows(cycles.codes)
        positions = rows.shape[2:]
        voltages = rows.movedim(1, -1).flatten(0, -2) * self._volts
        current, spread = self.array.currents(voltages, noise is not None)
        _check(current, voltages)
        sums = self._in_place(self._pairs(current, -1.0), len(rows), positions) * self._by_output(
            self.gain, rows
        )
        if self.offset is not None:
            sums = sums + self._by_output(self.offset, rows)
        if noise is not None and spread is not None:
            spread = self._in_place(self._pairs(spread.square(), 1.0).sqrt(), len(rows), positions)
            sums = sums + noise(tuple(sums.shape)).to(sums) * spread * self._by_output(self.gain, rows)
        answered = convert(sums, self.readout.code_range, self.staircase)
        counts = count_codes(answered, self.readout.code_range) if with_counts else None
        return Reading(add_up(answered, cycles, self.readout.code_range), counts)

    @property
    def _volts(self) -> float:
        """V of one input step."""
        assert self.dac.read_voltage is not None
        return self.dac.read_voltage

    def _rows(self, codes: Codes) -> torch.Tensor:
        """What is on every row, in input steps: [vector, row, *positions]."""
        if self.drivers is not None:
            codes = self.drivers.drive(codes)
        values = codes.dense().values if isinstance(codes, WindowedCodes) else codes.values
        is_on_rows = self.drivers is not None and self.drivers.wiring is not None
        return values if is_on_rows else on_rows(values, self.wiring)

    def _pairs(self, columns: torch.Tensor, sign: float) -> torch.Tensor:
        """[vector, column] to [vector, output]: pairs of columns are subtracted before the converter."""
        if self.wiring.pairing != "columns":
            return columns
        return columns[:, 0::2] + sign * columns[:, 1::2]

    def _in_place(self, flat: torch.Tensor, num_vectors: int, positions: torch.Size) -> torch.Tensor:
        """A [vector * positions, output] to levels [vector, output, *positions]."""
        return (flat / self.level_current).view(num_vectors, *positions, -1).movedim(-1, 1)

    def _by_output(self, values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return values.to(rows).view(-1, *[1] * (rows.dim() - 2))


def _check(current: torch.Tensor, voltages: torch.Tensor) -> None:
    """BackendError when cells carry more than numbers can hold."""
    if not bool(torch.isfinite(current).all()):
        highest = voltages.abs().max().item()
        raise BackendError(
            f"at up to {highest:.3g} V on the rows the current of these cells is not finite; dac.read_voltage is the "
            "voltage of one input step: lower it, or take an input mode with smaller steps"
        )
