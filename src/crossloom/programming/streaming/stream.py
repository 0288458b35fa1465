"""Programming of chips that need not fit in memory: macro by macro, each dropped again unless there is room."""

from collections.abc import Iterator

import torch

from crossloom.errors import ProgramError
from crossloom.hardware import Backend, Divisible, Timed, copied
from crossloom.placement import Placement
from crossloom.programming.corrections import measured_digest
from crossloom.programming.report import ProgrammingReport, TileTotals, totals_of
from crossloom.programming.strategies import Strategy
from crossloom.programming.streaming.footprint import check_memory, measure_footprint
from crossloom.programming.streaming.past import Past, Programming
from crossloom.programming.streaming.replayed import ReplayedTiles
from crossloom.programming.streaming.streamed import StreamedBackend
from crossloom.progress import track
from crossloom.units import parse_bytes


def stream(
    placement: Placement, backend: Backend, strategy: Strategy, settle: float, memory: int | str | None
) -> tuple[StreamedBackend, ProgrammingReport]:
    """The chips with the placement written into them as the last of their past, and how that went.

    memory: None takes that of a backend which is streamed already.

    Raises ProgramError when the backend's macros cannot be made again, ConfigError for too little memory, both before
    any pulse.
    """
    streamed = _begin(placement, backend, Programming(placement, strategy, settle), memory)
    totals: list[TileTotals] = []
    digest = measured_digest(_errors(streamed, totals))
    tiles = ReplayedTiles(streamed.divisible, streamed.past)
    name, tolerance = type(strategy).__name__, strategy.tolerance_for(streamed.base)
    return streamed, ProgrammingReport(name, tolerance, settle, tiles, tuple(totals), digest)


def _begin(
    placement: Placement, backend: Backend, written: Programming, memory: int | str | None
) -> StreamedBackend:
    before = Past(())
    if isinstance(backend, StreamedBackend):
        if backend.is_quiet:
            raise ProgramError(
                "chips that are read without noise are there to be looked at; program those with it"
            )
        before, memory = backend.past, backend.memory if memory is None else memory
        backend = backend.base
    if not isinstance(backend, Divisible) or not isinstance(backend, Timed):
        raise ProgramError(
            f"macros of a {type(backend).__name__} cannot be made again when they are used; leave out memory="
        )
    assert memory is not None
    limit = parse_bytes(memory)
    base = copied(backend)
    assert isinstance(base, Divisible)
    footprint = measure_footprint(placement, base)
    check_memory(placement, footprint, limit)
    return StreamedBackend(base, limit, footprint, before.then(written))


def _errors(streamed: StreamedBackend, totals: list[TileTotals]) -> Iterator[torch.Tensor]:
    """The errors of all tiles, in the order of writing; what else is told of them gathers in `totals`."""
    past = streamed.past
    written = past.steps[-1]
    assert isinstance(written, Programming)
    for address in track(written.tiles, "programming", len(written.tiles)):
        part, reports = past.redo(streamed.divisible, address)
        streamed.keep(part, address)
        for report in reports:
            totals.append(totals_of(report))
            yield report.error
