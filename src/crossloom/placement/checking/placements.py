"""Whether a placement is legal: every tile once, on cells of its own that are there and free, steps in order."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations

from crossloom.graph import Graph, matrices_of, node_references
from crossloom.mapping import vectors_per_sample
from crossloom.placement.checking.violation import Violation
from crossloom.placement.place import Placement
from crossloom.placement.site import Site
from crossloom.spec import MacroAddress, SystemSpec

_Taken = tuple[int, int, int, int, str]
"""First row, first column, row after the last, column after the last, and whose it is."""


def check_placement(placement: Placement) -> tuple[Violation, ...]:
    """Every rule that a placement breaks; nothing when it is legal.

    Rules: `missing tile`, `unknown address`, `outside`, `overlap`, `forbidden region`, `replicas together`, `rounds`,
    `step` (tiles missing, there twice or on another chip), `vectors`, `wrong order`.
    """
    counted = list(_count(placement))
    if counted:
        return tuple(counted)
    return (*_lie(placement), *_stay_apart(placement), *_follow(placement), *_step(placement))


def _count(placement: Placement) -> Iterator[Violation]:
    mapped = placement.mapped
    if len(placement.sites) != len(mapped.tiles):
        yield Violation("missing tile", f"{len(placement.sites)} sites for {len(mapped.tiles)} tiles")
    if placement.rounds and len(placement.rounds) != len(mapped.tiles):
        yield Violation("rounds", f"{len(placement.rounds)} rounds for {len(mapped.tiles)} tiles")
    for layer, further in placement.replicas.items():
        for number, sites in enumerate(further, 1):
            if len(sites) != len(mapped.tiles_of.get(layer, ())):
                yield Violation("missing tile", f"replica {number} of {layer} has {len(sites)} sites")


def _everything(placement: Placement) -> Iterator[tuple[int, int, Site]]:
    """Tile, replica and site of all that lies somewhere."""
    for tile, site in enumerate(placement.sites):
        yield tile, 0, site
    for layer, further in placement.replicas.items():
        for number, sites in enumerate(further, 1):
            for tile, site in zip(placement.mapped.tiles_of[layer], sites, strict=True):
                yield tile, number, site


def _lie(placement: Placement) -> Iterator[Violation]:
    """Whether cells are there, free, and taken once."""
    crossbar = placement.system.macro.crossbar
    taken: dict[tuple[int, MacroAddress], list[_Taken]] = defaultdict(list)
    for number, replica, site in _everything(placement):
        tile, name = (
            placement.mapped.tiles[number],
            f"tile {number}" + f" of replica {replica}" * (replica > 0),
        )
        if not _is_there(site.address, placement.system):
            yield Violation(
                "unknown address", f"{name} is on {site.address}, which {placement.system.name} has not"
            )
        end = site.row + tile.num_rows, site.column + tile.num_columns
        if min(site.row, site.column) < 0 or end[0] > crossbar.num_rows or end[1] > crossbar.num_columns:
            yield Violation("outside", f"{name} goes beyond {site.address}")
        this_round = placement.rounds[number] if placement.rounds else 0
        taken[this_round, site.address].append((site.row, site.column, *end, name))
    bad: dict[MacroAddress, list[_Taken]] = defaultdict(list)
    for region in placement.config.forbidden:
        end = region.row + region.num_rows, region.column + region.num_columns
        bad[MacroAddress(region.chip, region.core, region.macro)].append(
            (region.row, region.column, *end, "region")
        )
    for (_, address), regions in taken.items():
        for one, other in combinations(regions, 2):
            if _meet(one, other):
                yield Violation("overlap", f"{one[4]} and {other[4]} share cells of {address}")
        for one in regions:
            if any(_meet(one, other) for other in bad[address]):
                yield Violation("forbidden region", f"{one[4]} lies on forbidden cells of {address}")


def _is_there(address: MacroAddress, system: SystemSpec) -> bool:
    sizes = (system.num_chips, system.chip.num_cores, system.chip.core.num_macros)
    return all(0 <= number < size for number, size in zip(address, sizes, strict=True))


def _meet(one: _Taken, other: _Taken) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _stay_apart(placement: Placement) -> Iterator[Violation]:
    """Whether replicas of a tile can work at the same time."""
    held: dict[int, list[MacroAddress]] = defaultdict(list)
    for number, _, site in _everything(placement):
        held[number].append(site.address)
    for number, addresses in held.items():
        if len(set(addresses)) < len(addresses):
            yield Violation("replicas together", f"two replicas of tile {number} are on one macro")


def _follow(placement: Placement) -> Iterator[Violation]:
    """Whether a layer's tiles are written before those of the layers that need it are gone."""
    if not placement.rounds:
        return
    before = ancestors(placement.mapped.quantized.graph)
    spans = {
        layer: [placement.rounds[tile] for tile in tiles]
        for layer, tiles in placement.mapped.tiles_of.items()
    }
    for layer in spans:
        for name in before[layer]:
            if name in spans and max(spans[name]) > min(spans[layer]):
                yield Violation("rounds", f"{layer} runs before all of {name}, which it needs, was there")


def _step(placement: Placement) -> Iterator[Violation]:
    """Whether every replica of a layer runs whole, on its chips, after what it needs."""
    mapped, steps = placement.mapped, placement.schedule
    vectors, before = vectors_per_sample(mapped.quantized.graph), ancestors(mapped.quantized.graph)
    sites = {(tile, replica): site for tile, replica, site in _everything(placement)}
    seen: dict[str, set[str]] = {}
    done: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    dealt: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for number, step in enumerate(steps):
        done[step.layer, step.replica].update(step.tiles)
        dealt[step.layer][step.replica].add(step.num_vectors)
        for tile in step.tiles:
            site = sites.get((tile, step.replica))
            if site is None or site.address.chip != step.chip:
                yield Violation(
                    "step", f"step {number} runs tile {tile} on chip {step.chip}, where it is not"
                )
        if any(other >= number for other in step.after):
            yield Violation("wrong order", f"step {number} waits for a later one")
        waits = {steps[other].layer for other in step.after if other < number}
        seen[step.layer] = waits.union(*(seen.get(name, set()) for name in waits))
        missing = {name for name in before[step.layer] if name in mapped.schemes} - seen[step.layer]
        if missing:
            yield Violation("wrong order", f"step {number} of {step.layer} does not wait for {min(missing)}")
    for (layer, replica), counts in done.items():
        if counts != Counter(mapped.tiles_of.get(layer, ())):
            yield Violation("step", f"replica {replica} of {layer} does not run each of its tiles once")
    for layer in mapped.schemes:
        shares = dealt[layer].values()
        if any(len(found) > 1 for found in shares) or sum(max(found) for found in shares) != vectors[layer]:
            yield Violation("vectors", f"the replicas of {layer} do not share its {vectors[layer]} vectors")


def ancestors(graph: Graph) -> dict[str, set[str]]:
    """All matrix operations whose results a matrix operation needs, near and far."""
    above: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    for node in graph.nodes:
        names = set().union(*(above[name] for name in node_references(node)))
        for matrix in matrices_of(node):
            found[matrix.name] = set(names)
            names.add(matrix.name)
        above[node.name] = names
    return found
