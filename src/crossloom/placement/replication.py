"""Replication: slow layers there several times, so that the slowest macro of a pipeline is as fast as can be."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations_with_replacement, islice
from typing import NamedTuple

from crossloom.errors import CapacityError, ConfigError
from crossloom.mapping import MappedGraph, vectors_per_sample
from crossloom.placement.arranging import Item, check_apart, items_of
from crossloom.placement.config import PlacementConfig
from crossloom.placement.packing import Loads
from crossloom.placement.place import Placement, arrange, check_mapped, check_shares
from crossloom.progress import track
from crossloom.spec import MacroAddress, SystemSpec

_RESOLUTION = 0.002
"""Share of the slowest macro's time below which the search for less ends."""
_MOST_STEPS = 20
_QUICK = 400
"""Rounds of improvement for each time that is tried; the last ones get all that `effort` allows."""
_GLANCE = 60
"""The same for each of many choices."""
_ROUNDING = 1e-9
_TRIES, _MOST_ITEMS, _MOST_MORE = 60, 4000, 5
"""Choices of replicas that are tried for one time, tiles that all of them may have together, and replicas beyond the
fewest."""
_STEPS = (0.003, 0.01, 0.03, 0.06, 0.12, 0.2)
"""Shares by which the time is lowered at the end."""

Times = Mapping[str, tuple[float, ...]]
"""By layer, s per vector of each of its tiles, in their order."""


class Balanced(NamedTuple):
    """A placement with replicas.

    slowest: s per sample that the busiest macro works.  bound: s; no choice of replicas and no packing on these macros
    could make it work less.
    """

    placement: Placement
    slowest: float
    bound: float


def balance(
    mapped: MappedGraph,
    config: PlacementConfig,
    system: SystemSpec,
    times: Times,
    num_macros: int | None = None,
    fast_enough: float = 0.0,
) -> Balanced:
    """Choose replicas, and place them, so that the busiest macro works as little for a sample as was found.

    For a time T the fewest replicas that keep each tile within T are known (a replica takes its share of the vectors);
    they are packed with no macro working longer than T, and where that fails, some layers get more, whose shares are
    smaller. T is found by bisection, then lowered step by step. Replicas that `config` names already are the fewest
    there may be. Deterministic.

    Args:
        times: s per vector of the tiles of every layer.
        num_macros: of the system's macros, the first so many may be used; None for all.
        fast_enough: s; less gains nothing, because something else (the digital unit) takes that long.

    Raises CapacityError when not even one replica of each layer fits, ConfigError for a budget that cannot be.
    """
    check_mapped(mapped, system)
    items_of(mapped, config.replicas)
    check_shares(mapped, config)
    most = system.num_macros if num_macros is None else num_macros
    if not 1 <= most <= system.num_macros:
        raise ConfigError(
            f"need num_macros from 1 to {system.num_macros}, which {system.name} has; got {num_macros}"
        )
    search = _Search(mapped, config, system, times, most)
    found = search.place(None, None)
    best = Balanced(found, search.slowest(found), 0.0)
    bound = search.bound(best.slowest)
    low, high = max(bound, fast_enough), best.slowest
    for _ in track(range(_MOST_STEPS), "choosing replicas", _MOST_STEPS):
        if high - low <= _RESOLUTION * high or high <= fast_enough:
            break
        middle = (low + high) / 2
        found = search.try_place(middle, _QUICK)
        if found is None:
            low = middle
        else:
            best = Balanced(found, search.slowest(found), bound)
            high = best.slowest
    return search.refine(Balanced(best.placement, best.slowest, bound), fast_enough)


def macro_loads(placement: Placement, times: Times) -> dict[MacroAddress, float]:
    """s that every macro in use works for one sample."""
    loads: dict[MacroAddress, float] = defaultdict(float)
    places = {layer: {t: n for n, t in enumerate(placement.mapped.tiles_of[layer])} for layer in times}
    for step in placement.schedule:
        for tile in step.tiles if step.layer in times else ():
            each = times[step.layer][places[step.layer][tile]]
            loads[placement.site(tile, step.replica).address] += step.num_vectors * each
    return dict(loads)


class _Search:
    def __init__(
        self, mapped: MappedGraph, config: PlacementConfig, system: SystemSpec, times: Times, num_macros: int
    ) -> None:
        self._mapped, self._config, self._system, self._most = mapped, config, system, num_macros
        self._times = times
        self._vectors = vectors_per_sample(mapped.quantized.graph)
        self._users: dict[str, list[str]] = defaultdict(list)
        for name in mapped.schemes:
            self._users[mapped.tied.get(name, name)].append(name)
        self._cells = {
            holder: sum(mapped.tiles[tile].num_cells for tile in mapped.tiles_of[holder])
            for holder in self._users
        }

    def place(self, limit: float | None, effort: int | None) -> Placement:
        """With the fewest replicas that keep tiles within `limit`, and macros too. CapacityError when it cannot be."""
        return self._pack(self._replicas(limit), limit, effort)

    def _pack(self, replicas: dict[str, int], limit: float | None, effort: int | None) -> Placement:
        config = self._config.replace(replicas=replicas)
        if effort is not None:
            config = config.replace(effort=effort if config.effort is None else min(effort, config.effort))
        items = items_of(self._mapped, config.replicas)
        check_apart(self._mapped, config, self._system, items)
        loads = None
        if limit is not None:
            loads = Loads(self._loads(config.replicas, items), limit * (1 + _ROUNDING))
        placed = arrange(self._mapped, config, self._system, items, loads, self._most)
        return _with_config(placed, config.replace(effort=self._config.effort))

    def try_place(self, limit: float, effort: int | None) -> Placement | None:
        """The same, or None."""
        if not self._has_room(limit):
            return None
        fewest = self._replicas(limit)
        for replicas in self._choices(fewest):
            if self._fits_cells(replicas):
                try:
                    return self._pack(replicas, limit, effort if replicas is fewest else _GLANCE)
                except CapacityError:
                    continue
        return None

    def refine(self, best: Balanced, fast_enough: float) -> Balanced:
        """A few more times below the best, with all the effort that there is."""
        least = max(best.bound, fast_enough)
        for step in _STEPS:
            limit = max(best.slowest * (1 - step), least)
            found = None if limit >= best.slowest else self.try_place(limit, None)
            if found is not None:
                return self.refine(Balanced(found, self.slowest(found), best.bound), fast_enough)
        return best

    def _choices(self, fewest: dict[str, int]) -> Iterator[dict[str, int]]:
        """The fewest replicas, then those with one more, two more and so on, of one layer or of several."""
        yield fewest
        open_to = [holder for holder in self._users if fewest.get(holder, 1) < self._highest(holder)]
        more = (
            some
            for total in range(1, _MOST_MORE + 1)
            for some in combinations_with_replacement(open_to, total)
        )
        num_items = len(self._mapped.tiles) + sum(
            (number - 1) * len(self._mapped.tiles_of[holder]) for holder, number in fewest.items()
        )
        for some in islice(more, min(_TRIES, _MOST_ITEMS // num_items)):
            wanted = {holder: fewest.get(holder, 1) + number for holder, number in Counter(some).items()}
            if all(number <= self._highest(holder) for holder, number in wanted.items()):
                yield fewest | wanted

    def _highest(self, holder: str) -> int:
        """The most replicas of a layer that all have something to do, on macros of their own."""
        return min(self._vectors[holder], self._most)

    def slowest(self, placement: Placement) -> float:
        return max(macro_loads(placement, self._times).values(), default=0.0)

    def bound(self, above: float) -> float:
        """The least time at which cells and working time would suffice if both could be cut at will."""
        low = 0.0
        for _ in range(60):
            middle = (low + above) / 2
            low, above = (low, middle) if self._has_room(middle) else (middle, above)
        return low

    def _has_room(self, limit: float) -> bool:
        replicas = {holder: self._fewest(holder, limit) for holder in self._users}
        if any(number is None for number in replicas.values()):
            return False
        work = sum(
            self._vectors[name] * sum(self._times.get(name, ()))
            for names in self._users.values()
            for name in names
        )
        counts = {holder: number for holder, number in replicas.items() if number is not None}
        return self._fits_cells(counts) and work <= self._most * limit * (1 + _ROUNDING)

    def _fits_cells(self, replicas: Mapping[str, int]) -> bool:
        crossbar = self._system.macro.crossbar
        cells = sum(number * replicas.get(holder, 1) for holder, number in self._cells.items())
        return cells <= self._most * crossbar.num_rows * crossbar.num_columns

    def _replicas(self, limit: float | None) -> dict[str, int]:
        found = dict(self._config.replicas)
        for holder in self._users:
            number = None if limit is None else self._fewest(holder, limit)
            if number is not None and number > found.get(holder, 1):
                found[holder] = number
        return found

    def _fewest(self, holder: str, limit: float) -> int | None:
        """Replicas of a layer's tiles whose slowest works no longer than `limit`; None when none do."""
        low, high = 1, self._highest(holder)
        if self._slowest_tile(holder, high) > limit * (1 + _ROUNDING):
            return None
        while low < high:
            middle = (low + high) // 2
            if self._slowest_tile(holder, middle) <= limit * (1 + _ROUNDING):
                high = middle
            else:
                low = middle + 1
        return low

    def _slowest_tile(self, holder: str, number: int) -> float:
        """s per sample of the slowest tile of the first replica, which takes the most vectors."""
        loads = [0.0] * len(self._mapped.tiles_of[holder])
        for name in self._users[holder]:
            share = -(-self._vectors[name] // number)
            loads = [
                load + share * time for load, time in zip(loads, self._times.get(name, loads), strict=True)
            ]
        return max(loads, default=0.0)

    def _tile_loads(self, holder: str, number: int) -> list[list[float]]:
        """s per sample of the tiles of each replica: the first takes the most vectors."""
        loads = [[0.0] * len(self._mapped.tiles_of[holder]) for _ in range(number)]
        for name in self._users[holder]:
            each, over = divmod(self._vectors[name], number)
            for replica in range(number):
                share = each + (replica < over)
                for place, time in enumerate(self._times.get(name, ())):
                    loads[replica][place] += share * time
        return loads

    def _loads(self, replicas: Mapping[str, int], items: list[Item]) -> tuple[float, ...]:
        tables = {holder: self._tile_loads(holder, replicas.get(holder, 1)) for holder in self._users}
        places = {tile: n for holder in self._users for n, tile in enumerate(self._mapped.tiles_of[holder])}
        layers = [self._mapped.tiles[item.tile].layer for item in items]
        return tuple(
            tables[layer][item.replica][places[item.tile]] for layer, item in zip(layers, items, strict=True)
        )


def _with_config(placement: Placement, config: PlacementConfig) -> Placement:
    return replace(placement, config=config)
