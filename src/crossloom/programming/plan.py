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
    site, shape = placement.sites[tile], placement.mapped.tiles[tile]
    return Region(site.row, site.column, shape.num_rows, shape.num_columns)


def plan_programming(placement: Placement) -> ProgrammingPlan:
    """The regions and targets of all tiles."""
    mapped = placement.mapped
    planned = [
        PlannedTile(
            tile=number,
            layer=mapped.tiles[number].layer,
            address=site.address,
            region=region_of(placement, number),
            targets=mapped.targets(mapped.tiles[number]),
        )
        for number, site in enumerate(placement.sites)
    ]
    return ProgrammingPlan(tuple(sorted(planned, key=lambda item: (item.address, item.tile))))
