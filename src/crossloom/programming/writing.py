"""The act of programming: tiles are written together, settle, and are measured."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from crossloom.hardware import Backend, Timed
from crossloom.programming.plan import PlannedTile
from crossloom.programming.report import TileReport
from crossloom.programming.strategies import Strategy, WritesTogether, Written

Watch = Callable[[Sequence[PlannedTile]], Iterable[PlannedTile]]


def write_tiles(
    tiles: Sequence[PlannedTile], backend: Backend, strategy: Strategy, settle: float, watch: Watch = iter
) -> tuple[TileReport, ...]:
    """Write the tiles one after the other, wait `settle` seconds, and measure each. `watch` sees each go by."""
    written = _write(tiles, backend, strategy, watch)
    if isinstance(backend, Timed):
        backend.wait(settle)
    return tuple(_report(item, backend, written) for item in tiles)


def _write(
    tiles: Sequence[PlannedTile], backend: Backend, strategy: Strategy, watch: Watch
) -> dict[int, Written]:
    """What each tile took, by its number."""
    if isinstance(strategy, WritesTogether):
        all_written = strategy.write_all(backend, [item.block for item in tiles])
        return {item.tile: written for item, written in zip(tiles, all_written, strict=True)}
    return {
        item.tile: strategy.write(backend, item.address, item.region, item.targets) for item in watch(tiles)
    }


def _report(item: PlannedTile, backend: Backend, written: Mapping[int, Written]) -> TileReport:
    measured = backend.read(item.address, item.region).to(item.targets)
    done = written[item.tile]
    error = (measured - item.targets).float()
    return TileReport(
        item.layer,
        item.tile,
        done.pulses,
        done.failed,
        error,
        done.write_time,
        done.energy,
        done.num_reads,
        done.trajectory,
    )
