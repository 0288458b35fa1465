"""What wears cells is planned first: which regions, which targets. Printable, and nothing has happened yet."""

from dataclasses import dataclass, field

import torch

from crossloom.artefacts import saved
from crossloom.hardware import Region
from crossloom.placement import Placement
from crossloom.programming.strategies import Block
from crossloom.spec import MacroAddress
from crossloom.units import format_si


@saved
@dataclass(frozen=True)
class PlannedTile:
    """Bring the cells of one region to `targets`, S, [row, column]."""

    tile: int
    layer: str
    address: MacroAddress
    region: Region
    targets: torch.Tensor = field(repr=False)

    @property
    def block(self) -> Block:
        """What there is to write, without whose it is."""
        return Block(self.address, self.region, self.targets)


@dataclass(frozen=True)
class ProgrammingPlan:
    """Every region that programming will touch, macro by macro."""

    tiles: tuple[PlannedTile, ...]

    @property
    def num_cells(self) -> int:
        return sum(tile.region.num_cells for tile in self.tiles)

    def summary(self) -> str:
        """How many cells, where, and to which conductances."""
        if not self.tiles:
            return "ProgrammingPlan: nothing to write; every layer stays on the digital unit"
        lowest = min(tile.targets.min().item() for tile in self.tiles)
        highest = max(tile.targets.max().item() for tile in self.tiles)
        num_macros = len({tile.address for tile in self.tiles})
        return (
            f"ProgrammingPlan: {self.num_cells:,} cells of {len(self.tiles)} tiles on {num_macros} macros, targets "
            f"from {format_si(lowest, 'S')} to {format_si(highest, 'S')}"
        )


def region_of(placement: Placement, tile: int) -> Region:
    """The cells that a tile takes."""
    site, shape = placement.site_of(tile), placement.mapped.tile(tile)
    return Region(site.row, site.column, shape.num_rows, shape.num_columns)


def plan_programming(placement: Placement) -> ProgrammingPlan:
    """The regions and targets of all tiles."""
    in_order = (number for numbers in tiles_by_macro(placement).values() for number in numbers)
    return ProgrammingPlan(tuple(plan_tile(placement, number) for number in in_order))


def plan_tile(placement: Placement, number: int) -> PlannedTile:
    """The region and the targets of one tile."""
    tile = placement.mapped.tile(number)
    return PlannedTile(
        tile=number,
        layer=tile.layer,
        address=placement.site_of(number).address,
        region=region_of(placement, number),
        targets=placement.mapped.targets(tile),
    )


def tiles_by_macro(placement: Placement) -> dict[MacroAddress, tuple[int, ...]]:
    """The numbers of the tiles on every macro; both in the order in which they are written."""
    found: dict[MacroAddress, list[int]] = {address: [] for address in placement.macros}
    for number in placement.numbers:
        found[placement.site_of(number).address].append(number)
    return {address: tuple(numbers) for address, numbers in found.items()}
