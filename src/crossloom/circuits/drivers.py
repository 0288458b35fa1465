"""What the drivers put on the rows for the codes that they are given."""

from dataclasses import dataclass

import torch

from crossloom.circuits.transitions import interpolate
from crossloom.hardware import Codes, DenseCodes, InputFormat, WindowedCodes, Wiring
from crossloom.spec import BitSerial, DacSpec, Pulse


@dataclass(frozen=True)
class Drivers:
    """How far drivers are from what they are told, in input steps, by the magnitude of the code.

    errors: [1, level] where all drivers are alike; else [row, level], and `wiring` says which rows an input drives.
    """

    errors: torch.Tensor
    wiring: Wiring | None = None

    def drive(self, codes: Codes) -> Codes:
        """What is on the rows, in input steps; straight through for gradients.

        Drivers that are alike keep the layout. Others give one value for each row, [vector, row, *positions]: what
        it meets is the matrix of rows, not of inputs.
        """
        if self.wiring is None:
            return codes.with_values(self._driven(codes.values))
        values = codes.dense().values if isinstance(codes, WindowedCodes) else codes.values
        return DenseCodes(self._driven(on_rows(values, self.wiring)), codes.num_samples)

    def _driven(self, values: torch.Tensor) -> torch.Tensor:
        num_drivers, num_levels = self.errors.shape
        level = values.detach().abs().round().long().clamp(max=num_levels - 1)
        if num_drivers > 1:
            first = torch.arange(0, self.errors.numel(), num_levels, device=level.device)
            level = level + first.view(-1, *[1] * (values.dim() - 2))
        return values + self.errors.to(values.dtype).take(level) * values.detach().sign()


def make_drivers(
    dac: DacSpec,
    inputs: InputFormat,
    errors: torch.Tensor | None = None,
    wiring: Wiring | None = None,
    device: torch.device | str = "cpu",
) -> Drivers | None:
    """The drivers of a region; None where all do as they are told.

    errors: [row, level], input steps: what the drivers of its rows have of their own. With it, the product must be
    with the matrix of rows (`wiring_of_rows`).
    """
    if not any(dac.nonlinearity or ()):
        return None if errors is None else Drivers(errors, wiring)
    top = _top_level(dac, inputs)
    shared = interpolate(dac.nonlinearity or (), top + 1, device if errors is None else errors.device)
    return Drivers(shared.unsqueeze(0)) if errors is None else Drivers(errors + shared, wiring)


def draw_drivers(dac: DacSpec, num_rows: int, generator: torch.Generator) -> torch.Tensor | None:
    """What each driver has of its own, [row, level], input steps: drawn once. None where all are alike."""
    if not dac.level_error or dac.bits is None:
        return None
    shape = (num_rows, 2**dac.bits - 1)
    drawn = torch.randn(*shape, generator=generator, device=generator.device, dtype=torch.float64)
    return torch.nn.functional.pad(dac.level_error * drawn, (1, 0))


def wiring_of_rows(wiring: Wiring) -> Wiring:
    """The same columns, with every row an input of its own."""
    return Wiring("columns" if wiring.pairing == "columns" else "none")


def on_rows(values: torch.Tensor, wiring: Wiring) -> torch.Tensor:
    """[vector, input, *positions] to [vector, row, *positions]: copies, and the opposite in pairs of rows."""
    rows = values.repeat_interleave(wiring.rows_per_input, 1)
    if wiring.pairing != "rows":
        return rows
    signs = rows.new_tensor([1.0, -1.0]).repeat(rows.shape[1] // 2)
    return rows * signs.view(-1, *[1] * (rows.dim() - 2))


def _top_level(dac: DacSpec, inputs: InputFormat) -> int:
    if dac.bits is not None:
        return 2**dac.bits - 1
    if isinstance(inputs.mode, BitSerial):
        return 2**inputs.mode.bits_per_pulse - 1
    return 1 if isinstance(inputs.mode, Pulse) else inputs.largest
