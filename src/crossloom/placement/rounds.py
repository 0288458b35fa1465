"""Systems too small for all tiles at once: which tiles are written in which round."""

from collections.abc import Iterator, Sequence

from crossloom.errors import CapacityError, ConfigError
from crossloom.graph import matrices_of
from crossloom.mapping import MappedGraph
from crossloom.placement.arranging import Item, pack_items
from crossloom.placement.config import PlacementConfig
from crossloom.spec import SystemSpec


def deal_rounds(mapped: MappedGraph, config: PlacementConfig, system: SystemSpec) -> list[list[Item]]:
    """The tiles in the order in which layers run, cut into as few rounds as fit the system one after another.

    As many tiles as fit go into the first round, and so on, which no other cut in this order beats. The layers of one
    recurrence stay together, because every step of theirs needs all of them.

    Raises ConfigError where layers share tiles, CapacityError when what must be together does not fit.
    """
    if mapped.tied:
        name, held = next(iter(mapped.tied.items()))
        raise ConfigError(
            f"reprogram: {name} shares the tiles of {held}, which may be gone by then; map with share_tied=False"
        )
    if config.replicas:
        raise ConfigError(
            "replicas need room that this system lacks, and reprogram would write them for nothing: leave out one"
        )
    greedy = config.replace(effort=0)

    def fits(atoms: Sequence[Sequence[Item]]) -> bool:
        try:
            pack_items(mapped, greedy, system, [item for atom in atoms for item in atom])
        except CapacityError:
            return False
        return True

    atoms = list(_atoms(mapped))
    rounds: list[list[Item]] = []
    while atoms:
        number = _longest(atoms, fits)
        if not number:
            layer = mapped.tiles[atoms[0][0].tile].layer
            raise CapacityError(
                f"{len(atoms[0])} tiles of {layer} must be written together and do not fit {system.num_macros} macros; "
                "use more chips or more bits per cell"
            )
        rounds.append([item for atom in atoms[:number] for item in atom])
        atoms = atoms[number:]
    return rounds


def _atoms(mapped: MappedGraph) -> Iterator[list[Item]]:
    """Tiles that must be there at the same time, in the order in which they are needed."""
    for node in mapped.quantized.graph.nodes:
        names = [matrix.name for matrix in matrices_of(node) if matrix.name in mapped.schemes]
        tiles = [Item(tile, 0) for name in names for tile in mapped.tiles_of[name]]
        if len(names) > 1:
            yield tiles
        else:
            yield from ([tile] for tile in tiles)


def _longest(atoms: Sequence, fits) -> int:
    """How many of the first atoms fit, found by doubling and halving."""
    good, bad = 0, 1
    while bad <= len(atoms) and fits(atoms[:bad]):
        good, bad = bad, 2 * bad
    bad = min(bad, len(atoms) + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        if fits(atoms[:middle]):
            good = middle
        else:
            bad = middle
    return good
