"""What pulses do to cells that are not selected: those on the same rows and columns meet a part of the voltage."""

import torch

from crossloom.devices import CellState, Nudged, Pulsed
from crossloom.hardware import Region
from crossloom.spec import CellSpec


def half_select(
    model: Pulsed,
    cells: CellState,
    cell: CellSpec,
    region: Region,
    widths: torch.Tensor,
    voltages: torch.Tensor | None,
    generator: torch.Generator,
) -> CellState:
    """All cells of a macro after pulses of `widths` (s) and `voltages` (V), [row, column] of `region`, met the rest.

    Cells are pulsed one after another, so a cell meets the pulses of all others on its row and on its column;
    what they add up to is applied in one event, at the nominal voltage. How long ago a cell was written stays:
    a disturbed cell has moved, but does not settle anew. Gated cells are left alone, and nothing is drawn.
    """
    response = cell.pulse
    if response is None or not response.half_select or not widths.any():
        return cells
    nominal = widths if voltages is None else widths * response.growth(voltages.to(widths))
    met = response.half_select * met_by_others(cells.shape, region, nominal.to(cells.conductance))
    if isinstance(model, Nudged):
        return model.nudge(cells, met, generator)
    return model.pulse(cells, met, generator, None).but(age=cells.age)


def met_by_others(shape: torch.Size, region: Region, widths: torch.Tensor) -> torch.Tensor:
    """For every cell of a macro, the sum of `widths` over all other cells of its row and of its column."""
    total = widths.new_zeros(shape)
    rows, columns = slice(region.row, region.row + region.num_rows), slice(region.column, None)
    part = total[rows, columns][:, : region.num_columns]
    part.copy_(-2 * widths)  # a cell's own pulse is in both sums
    total[rows] += widths.sum(1, keepdim=True)
    total[:, columns][:, : region.num_columns] += widths.sum(0)
    return total
