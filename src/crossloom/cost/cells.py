"""What cells take when they are read: E = V² g t of every driven cell, from the conductances that are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossloom.cost.amount import Bounds
from crossloom.cost.clock import Clock
from crossloom.cost.table import ComponentTable

if TYPE_CHECKING:
    from crossloom.cost.actions import LayerWork


@dataclass(frozen=True)
class CellReads:
    """For one sample.

    count: cells that met a pulse, each time that they did.  energy: J, None where no voltage or no time is known.
    """

    count: float
    energy: Bounds | None


def read_cells(work: LayerWork, table: ComponentTable, clock: Clock) -> CellReads:
    """What the cells of a layer take for one sample.

    The energy of a row is V² t sum_j g_j times the sum of its squared input steps, so it is exact for every input,
    without any cell or vector being looked at twice; where heavy cycles repeat, every pulse is taken to repeat as often
    as the mean cycle does. Voltage lost along wires, and cells that are not ohmic, are not counted.
    """
    mapped, each = work.placement.mapped, work.share / work.num_samples
    rows = mapped.schemes[work.layer].rows_per_input
    repeats = clock.num_integrations / clock.num_cycles
    count, driven, joule, is_known = 0.0, 0.0, 0.0, True
    volt_per_step = clock.volt_per_step
    for number in work.tiles:
        tile = mapped.tiles[number]
        squares = work.activity.squares[tile.input_start : tile.input_stop]
        drives = work.activity.drives[tile.input_start : tile.input_stop]
        count += rows * tile.num_columns * drives.sum().item()
        driven += rows * tile.num_columns * squares.sum().item()
        volt = work.correction.of(number).read_voltage or volt_per_step
        seconds = clock.read_time(work.integration_time(number)) * repeats
        if volt is None or not seconds:
            is_known = False
        else:
            along_rows = work.conductances[number].double().sum(1).view(-1, rows).sum(1)
            joule += volt**2 * seconds * (along_rows * squares.to(along_rows)).sum().item()
    if table.cells.read_energy is not None:
        energy = table.cells.read_energy.bounds.times(driven * repeats * each)
    elif driven and not is_known:
        energy = None
    else:
        energy = Bounds(*[joule * each] * 3)
    return CellReads(count * repeats * each, energy)
