"""Some of a graph's tiles and their replicas, packed onto the macros of a system."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from crossloom.errors import CapacityError, ConfigError
from crossloom.mapping import MappedGraph
from crossloom.placement.config import ForbiddenRegion, PlacementConfig
from crossloom.placement.packing import Forbidden, Loads, Packing, Rectangle, improve_exactly, pack
from crossloom.placement.site import Site
from crossloom.registry import did_you_mean
from crossloom.spec import SystemSpec


class Item(NamedTuple):
    """One replica of a tile; `tile` is its number."""

    tile: int
    replica: int


def items_of(mapped: MappedGraph, replicas: dict[str, int]) -> list[Item]:
    """Every tile once, in order, then the further replicas of the layers that have some.

    ConfigError for a layer that holds no tiles of its own.
    """
    for name in replicas:
        if name not in mapped.schemes:
            raise ConfigError(f"replicas: no layer in memory is called {name!r}; {_known(name, mapped)}")
        if name in mapped.tied:
            raise ConfigError(
                f"replicas: {name} uses the tiles of {mapped.tied[name]}; name that layer instead"
            )
    further = [
        Item(tile, replica)
        for name, number in replicas.items()
        for replica in range(1, number)
        for tile in mapped.tiles_of[name]
    ]
    return [*(Item(tile, 0) for tile in range(len(mapped.tiles))), *further]


def pack_items(
    mapped: MappedGraph,
    config: PlacementConfig,
    system: SystemSpec,
    items: Sequence[Item],
    loads: Loads | None = None,
    num_macros: int | None = None,
) -> Packing:
    """Pack on the system, or on its first `num_macros` macros. Raises what `pack` does."""
    crossbar = system.macro.crossbar
    tiles = [mapped.tiles[item.tile] for item in items]
    most = system.num_macros if num_macros is None else num_macros
    forbidden = [_forbidden(region, system) for region in config.forbidden]
    options = {} if config.effort is None else {"effort": config.effort}
    forbidden = [region for region in forbidden if region.bin < most]
    apart = _apart(mapped, config, items)
    rectangles = [Rectangle(tile.num_rows, tile.num_columns) for tile in tiles]
    space = (rectangles, crossbar.num_rows, crossbar.num_columns, most)
    packing = pack(*space, forbidden=forbidden, keep_apart=apart, loads=loads, **options)
    if config.exact is None or loads is not None:
        return packing
    return improve_exactly(packing, *space, effort=config.exact, forbidden=forbidden, keep_apart=apart)


def sites_of(packing: Packing, system: SystemSpec) -> list[Site]:
    """Where every item lies."""
    return [Site(system.address(spot.bin), spot.row, spot.column) for spot in packing.spots]


def check_apart(
    mapped: MappedGraph, config: PlacementConfig, system: SystemSpec, items: Sequence[Item]
) -> None:
    """CapacityError when more must lie on different macros than there are; no way of writing them would help."""
    sizes = Counter(group for group in _apart(mapped, config, items) if group is not None)
    most = max(sizes.values(), default=0)
    if most > system.num_macros:
        raise CapacityError(
            f"{most} copies of a tile must be on different macros but the system has {system.num_macros}; "
            f"use at most {system.num_macros} copies or {-(-most // system.num_macros)} systems"
        )


def _apart(mapped: MappedGraph, config: PlacementConfig, items: Sequence[Item]) -> list[int | None]:
    """A number for all that must lie on different macros: replicas of a tile, and copies where they shall be apart."""
    numbers: dict[object, int] = {}

    def number(item: Item) -> int | None:
        tile = mapped.tiles[item.tile]
        if config.keep_copies_apart and mapped.schemes[tile.layer].copies > 1:
            return numbers.setdefault((tile.layer, tile.block), len(numbers))
        if config.replicas.get(tile.layer, 1) > 1:
            return numbers.setdefault(item.tile, len(numbers))
        return None

    return [number(item) for item in items]


def _known(name: str, mapped: MappedGraph) -> str:
    return did_you_mean(name, [known for known in mapped.schemes if known not in mapped.tied])


def _forbidden(region: ForbiddenRegion, system: SystemSpec) -> Forbidden:
    chip, core = system.chip, system.chip.core
    if region.chip >= system.num_chips or region.core >= chip.num_cores or region.macro >= core.num_macros:
        raise ConfigError(
            f"forbidden: {system.name} has no chip {region.chip}, core {region.core}, macro {region.macro}; it has "
            f"{system.num_chips} chips of {chip.num_cores} cores of {core.num_macros} macros"
        )
    number = (region.chip * chip.num_cores + region.core) * core.num_macros + region.macro
    return Forbidden(number, region.row, region.column, region.num_rows, region.num_columns)
