"""The stage: tiles find their regions on the macros of a system."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from crossloom.artefacts import Artefact, saved
from crossloom.errors import ConfigError, GraphError
from crossloom.mapping import MappedGraph, Tile
from crossloom.placement.config import ForbiddenRegion, PlacementConfig
from crossloom.placement.packing import Forbidden, Rectangle, pack
from crossloom.placement.schedule import Step, make_schedule
from crossloom.spec import MacroAddress, SystemSpec

saved(SystemSpec)
saved(MacroAddress)


@saved
@dataclass(frozen=True)
class Site:
    """Where a tile lies: its macro, and the cell of its first row and column."""

    address: MacroAddress
    row: int
    column: int


@saved
@dataclass(frozen=True)
class Placement(Artefact):
    """Every tile on its macro, and the schedule. `sites` has one entry per tile of `mapped`.

    area_bound: no placement could use fewer macros than this.
    """

    mapped: MappedGraph
    system: SystemSpec
    config: PlacementConfig
    sites: tuple[Site, ...] = field(repr=False)
    area_bound: int
    schedule: tuple[Step, ...] = field(repr=False)

    @cached_property
    def macros(self) -> tuple[MacroAddress, ...]:
        """The macros in use, in order."""
        return tuple(sorted({site.address for site in self.sites}))

    @property
    def utilization(self) -> float:
        """Share of the cells of the macros in use that tiles take."""
        crossbar = self.system.macro.crossbar
        available = len(self.macros) * crossbar.num_rows * crossbar.num_columns
        return self.mapped.num_cells / available if available else 0.0

    def with_mapped(self, mapped: MappedGraph) -> "Placement":
        """The same sites for the same tiles with other settings. ConfigError when they are other tiles."""
        if list(map(_shape, mapped.tiles)) != list(map(_shape, self.mapped.tiles)):
            raise ConfigError("these are other tiles than those that were placed; place them anew")
        return replace(self, mapped=mapped)

    def summary(self) -> str:
        """How much of the system is used, and how well."""
        crosses = sum(step.bytes_in + step.bytes_out for step in self.schedule)
        return (
            f"Placement on {self.system.name}: {len(self.sites)} tiles on {len(self.macros)} of "
            f"{self.system.num_macros} macros (area bound {self.area_bound}), {self.utilization:.1%} of their cells in "
            f"use; {len(self.schedule)} steps, {crosses:,} bytes a sample cross links"
        )


def _shape(tile: Tile) -> Tile:
    """All of a tile that its site depends on."""
    return replace(tile, integration_time=1.0)


def place(mapped: MappedGraph, config: PlacementConfig, system: SystemSpec) -> Placement:
    """Pack all tiles onto as few macros as can be found.

    Raises CapacityError, saying how much is missing, when they do not fit; ConfigError when a forbidden
    region is no part of the system, or the graph was mapped for other macros; GraphError when nothing was mapped.
    """
    if mapped.macro != system.macro:
        raise ConfigError(f"this graph was mapped for other macros than those of {system.name}; map it again")
    if not mapped.quantized.graph.matrices:
        raise GraphError(
            "the model has no matrix operation that a crossbar could do; there is nothing to place"
        )
    packing = _pack(mapped, config, system)
    sites = tuple(Site(system.address(spot.bin), spot.row, spot.column) for spot in packing.spots)
    schedule = make_schedule(mapped, [site.address for site in sites])
    return Placement(mapped, system, config, sites, packing.area_bound, schedule)


def _pack(mapped: MappedGraph, config: PlacementConfig, system: SystemSpec):
    crossbar = system.macro.crossbar
    rectangles = [Rectangle(tile.num_rows, tile.num_columns) for tile in mapped.tiles]
    options = {} if config.effort is None else {"effort": config.effort}
    return pack(
        rectangles,
        crossbar.num_rows,
        crossbar.num_columns,
        system.num_macros,
        forbidden=[_forbidden(region, system) for region in config.forbidden],
        keep_apart=_copies(mapped) if config.keep_copies_apart else None,
        **options,
    )


def _copies(mapped: MappedGraph) -> list[int | None]:
    """A number for every block that has copies, None for the others."""
    numbers: dict[tuple[str, tuple[int, ...]], int] = {}
    return [
        numbers.setdefault((tile.layer, tile.block), len(numbers))
        if mapped.schemes[tile.layer].copies > 1
        else None
        for tile in mapped.tiles
    ]


def _forbidden(region: ForbiddenRegion, system: SystemSpec) -> Forbidden:
    chip, core = system.chip, system.chip.core
    if region.chip >= system.num_chips or region.core >= chip.num_cores or region.macro >= core.num_macros:
        raise ConfigError(
            f"forbidden: {system.name} has no chip {region.chip}, core {region.core}, macro {region.macro}; it has "
            f"{system.num_chips} chips of {chip.num_cores} cores of {core.num_macros} macros"
        )
    number = (region.chip * chip.num_cores + region.core) * core.num_macros + region.macro
    return Forbidden(number, region.row, region.column, region.num_rows, region.num_columns)
