"""The stage: tiles find their regions on the macros of a system."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from crossloom.artefacts import Artefact, saved
from crossloom.errors import CapacityError, ConfigError, GraphError
from crossloom.mapping import MappedGraph, Tile, vectors_per_sample
from crossloom.placement.arranging import Item, check_apart, items_of, pack_items, sites_of
from crossloom.placement.config import PlacementConfig
from crossloom.placement.packing import Loads
from crossloom.placement.rewriting import rewriting
from crossloom.placement.rounds import deal_rounds
from crossloom.placement.schedule import Step, make_schedule
from crossloom.placement.site import Site
from crossloom.spec import MacroAddress, SystemSpec

saved(SystemSpec)


@saved
@dataclass(frozen=True)
class Placement(Artefact):
    """Every tile on its macro, and the schedule. `sites` has one entry per tile of `mapped`.

    area_bound: no placement could use fewer macros than this.
    bound: the sharpest such number that was proven; None where nobody looked.
    replicas: of layers that are there several times, where the tiles of every further replica lie, in their order.
    rounds: where the system is too small for all tiles at once, the round in which each is written; else empty.
    """

    mapped: MappedGraph = field(repr=False)
    system: SystemSpec = field(repr=False)
    config: PlacementConfig
    sites: tuple[Site, ...] = field(repr=False)
    area_bound: int
    schedule: tuple[Step, ...] = field(repr=False)
    replicas: Mapping[str, tuple[tuple[Site, ...], ...]] = field(default_factory=dict, repr=False)
    rounds: tuple[int, ...] = field(default=(), repr=False)
    bound: int | None = None

    @cached_property
    def macros(self) -> tuple[MacroAddress, ...]:
        """The macros in use, in order."""
        return tuple(sorted({site.address for _, site in self.placed()}))

    @property
    def num_rounds(self) -> int:
        """How often the system is written for every batch; 1 where it is written once and for all."""
        return max(self.rounds, default=0) + 1

    def num_replicas(self, layer: str) -> int:
        """How often a mapped layer is there."""
        return 1 + len(self.replicas.get(self.mapped.tied.get(layer, layer), ()))

    def numbers_of(self, layer: str) -> tuple[int, ...]:
        """The numbers of a mapped layer's tiles, replica by replica.

        Each further replica has numbers that are larger by `len(mapped.tiles)`; `mapped.tile` knows all of them.
        """
        own, step = self.mapped.tiles_of[layer], len(self.mapped.tiles)
        return tuple(number + replica * step for replica in range(self.num_replicas(layer)) for number in own)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Those of all tiles and their replicas."""
        step = len(self.mapped.tiles)
        return tuple(item.tile + item.replica * step for item, _ in self.placed())

    def placed(self) -> Iterator[tuple[Item, Site]]:
        """Every replica of every tile, and where it lies."""
        yield from ((Item(tile, 0), site) for tile, site in enumerate(self.sites))
        for layer, further in self.replicas.items():
            for replica, sites in enumerate(further, 1):
                for tile, site in zip(self.mapped.tiles_of[layer], sites, strict=True):
                    yield Item(tile, replica), site

    def site(self, tile: int, replica: int = 0) -> Site:
        """Where a replica of a tile lies."""
        if not replica:
            return self.sites[tile]
        layer = self.mapped.tiles[tile].layer
        return self.replicas[layer][replica - 1][self._place_in_layer[tile]]

    def site_of(self, number: int) -> Site:
        """Where the tile of this number lies, or the replica that it names."""
        return self.site(number % len(self.mapped.tiles), number // len(self.mapped.tiles))

    @property
    def utilization(self) -> float:
        """Share of the cells of the macros in use that tiles take, over all rounds."""
        crossbar = self.system.macro.crossbar
        written = {
            (site.address, self.rounds[item.tile] if self.rounds else 0) for item, site in self.placed()
        }
        available = len(written) * crossbar.num_rows * crossbar.num_columns
        return self.num_cells / available if available else 0.0

    @property
    def num_cells(self) -> int:
        """Cells that hold tiles, replicas included."""
        return sum(self.mapped.tiles[item.tile].num_cells for item, _ in self.placed())

    def with_mapped(self, mapped: MappedGraph) -> "Placement":
        """The same sites for the same tiles with other settings. ConfigError when they are other tiles."""
        if list(map(_shape, mapped.tiles)) != list(map(_shape, self.mapped.tiles)):
            raise ConfigError("these are other tiles than those that were placed; place them anew")
        return replace(self, mapped=mapped)

    def summary(self) -> str:
        """How much of the system is used, and how well."""
        crosses = sum(step.bytes_in + step.bytes_out for step in self.schedule)
        lines = [
            f"Placement on {self.system.name}: {len(self.sites)} tiles on {len(self.macros)} of "
            f"{self.system.num_macros} macros (area bound {self.area_bound}), {self.utilization:.1%} of their cells in "
            f"use; {len(self.schedule)} steps, {crosses:,} bytes a sample cross links"
        ]
        if self.replicas:
            told = ", ".join(f"{layer} {len(further) + 1}" for layer, further in self.replicas.items())
            lines.append(f"replicas that share the vectors of a sample: {told}")
        if self.bound is not None and self.bound > self.area_bound:
            gap = len(self.macros) / self.bound - 1
            lines.append(f"at least {self.bound} macros are needed: a gap of {gap:.1%}")
        found = rewriting(self)
        return "\n".join(lines if found is None else [*lines, found.summary()])

    @cached_property
    def _place_in_layer(self) -> dict[int, int]:
        return {tile: place for tiles in self.mapped.tiles_of.values() for place, tile in enumerate(tiles)}


def _shape(tile: Tile) -> Tile:
    """All of a tile that its site depends on."""
    return replace(tile, integration_time=1.0)


def place(mapped: MappedGraph, config: PlacementConfig, system: SystemSpec) -> Placement:
    """Pack all tiles, and the replicas that are asked for, onto as few macros as can be found.

    Raises CapacityError, saying how much is missing, when they do not fit and `config.reprogram` does not allow for
    several rounds; ConfigError when a forbidden region is no part of the system, replicas are of no layer or more than
    it has vectors, or the graph was mapped for other macros; GraphError when nothing was mapped.
    """
    check_mapped(mapped, system)
    items = items_of(mapped, config.replicas)
    check_shares(mapped, config)
    check_apart(mapped, config, system, items)
    try:
        return arrange(mapped, config, system, items)
    except CapacityError as error:
        if not config.reprogram:
            raise CapacityError(
                f"{error}; or PlacementConfig(reprogram=True), at the shell --reprogram, which writes the system anew "
                "for every batch and wears its cells"
            ) from None
    return _in_rounds(mapped, config, system)


def arrange(
    mapped: MappedGraph,
    config: PlacementConfig,
    system: SystemSpec,
    items: list[Item],
    loads: Loads | None = None,
    num_macros: int | None = None,
) -> Placement:
    """The placement of all items at once. CapacityError when they do not fit."""
    packing = pack_items(mapped, config, system, items, loads, num_macros)
    found = sites_of(packing, system)
    num_tiles = len(mapped.tiles)
    further: dict[str, dict[int, list[Site]]] = {}
    for item, site in zip(items[num_tiles:], found[num_tiles:], strict=True):
        further.setdefault(mapped.tiles[item.tile].layer, {}).setdefault(item.replica, []).append(site)
    replicas = {layer: tuple(map(tuple, sites.values())) for layer, sites in further.items()}
    addresses = {
        layer: [[site.address for site in sites] for sites in each] for layer, each in replicas.items()
    }
    sites = tuple(found[:num_tiles])
    schedule = make_schedule(mapped, [site.address for site in sites], addresses)
    return Placement(
        mapped, system, config, sites, packing.area_bound, schedule, replicas, bound=packing.bound
    )


def check_mapped(mapped: MappedGraph, system: SystemSpec) -> None:
    """ConfigError for a graph mapped for other macros, GraphError for one without matrices."""
    if mapped.macro != system.macro:
        raise ConfigError(f"this graph was mapped for other macros than those of {system.name}; map it again")
    if not mapped.quantized.graph.matrices:
        raise GraphError(
            "the model has no matrix operation that a crossbar could do; there is nothing to place"
        )


def _in_rounds(mapped: MappedGraph, config: PlacementConfig, system: SystemSpec) -> Placement:
    dealt = deal_rounds(mapped, config, system)
    packings = [pack_items(mapped, config, system, items) for items in dealt]
    sites: dict[int, Site] = {}
    rounds: dict[int, int] = {}
    for number, (items, packing) in enumerate(zip(dealt, packings, strict=True)):
        tiles = [item.tile for item in items]
        sites |= dict(zip(tiles, sites_of(packing, system), strict=True))
        rounds |= dict.fromkeys(tiles, number)
    in_order = tuple(sites[tile] for tile in range(len(mapped.tiles)))
    schedule = make_schedule(mapped, [site.address for site in in_order])
    bound = max(packing.area_bound for packing in packings)
    numbers = tuple(rounds[tile] for tile in range(len(mapped.tiles)))
    return Placement(mapped, system, config, in_order, bound, schedule, {}, numbers)


def check_shares(mapped: MappedGraph, config: PlacementConfig) -> None:
    """ConfigError for more replicas of a layer than it has vectors in a sample."""
    if not config.replicas:
        return
    vectors = vectors_per_sample(mapped.quantized.graph)
    for layer, number in config.replicas.items():
        if number > vectors[layer]:
            raise ConfigError(
                f"replicas: {layer} meets {vectors[layer]} vectors a sample, so {number} replicas would idle; "
                f"use at most {vectors[layer]}"
            )
