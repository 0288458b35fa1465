"""The verb: a pipelined schedule, each resource doing one thing at a time."""

from collections import defaultdict
from collections.abc import Hashable

from crossloom.errors import CapacityError, ConfigError
from crossloom.placement.pipelining.operations import (
    SHARED,
    Operation,
    PipelineSchedule,
    PipelineTimes,
)
from crossloom.placement.pipelining.timetable import Buffers, Timetable
from crossloom.placement.place import Placement
from crossloom.placement.schedule import SUM_BYTES, Step, deal, matrix_dependencies


def schedule_pipeline(placement: Placement, times: PipelineTimes, num_samples: int = 1) -> PipelineSchedule:
    """When everything happens for samples that come in as closely as the busiest resource allows.

    A layer's inputs cross the link into the buffers of cores, its macros multiply, its sums cross back, and the digital
    unit finishes them; each waits for the one before, and for whatever holds it, and takes the first gap that is long
    enough. Tiles on one macro take turns. Where buffers hold less than a step's inputs and sums, its vectors come in
    portions, two of which have room.

    Raises ConfigError for a placement of several rounds (samples cannot overlap) or no samples, CapacityError when a
    buffer does not hold one vector and its sums.
    """
    if num_samples < 1:
        raise ConfigError(f"need num_samples >= 1, got {num_samples}")
    if placement.rounds and num_samples > 1:
        raise ConfigError(
            f"this placement writes the system in {placement.num_rounds} rounds: samples cannot follow one another "
            "through it; use a larger system, or num_samples=1"
        )
    scheduler = _Scheduler(placement, times)
    scheduler.add_sample(0, 0.0)
    interval = max(scheduler.timetable.busy.values(), default=0.0)
    for sample in range(1, num_samples):
        scheduler.add_sample(sample, sample * interval)
    ordered = sorted(scheduler.operations, key=lambda found: (found.start, found.sample))
    return PipelineSchedule(placement, times, num_samples, interval, tuple(ordered))


class _Scheduler:
    def __init__(self, placement: Placement, times: PipelineTimes) -> None:
        graph = placement.mapped.quantized.graph
        self._placement, self._times = placement, times
        self._layers = ["", *(node.name for node in graph.matrices)]
        self._needs = matrix_dependencies(graph)
        self._steps: dict[str, list[int]] = defaultdict(list)
        for number, step in enumerate(placement.schedule):
            self._steps[step.layer].append(number)
        self._places = {
            layer: {tile: place for place, tile in enumerate(placement.mapped.tiles_of[layer])}
            for layer in times.mvm
        }
        self._buffers = Buffers(placement.system.chip.core.buffer.capacity)
        self._portions = {
            number: self._cut(step)
            for number, step in enumerate(placement.schedule)
            if step.layer in times.mvm
        }
        self.timetable = Timetable()
        self.operations: list[Operation] = []

    def add_sample(self, sample: int, came: float) -> None:
        """All operations of one sample that comes in at `came`."""
        done: dict[str, float] = {}
        for layer in self._layers:
            before = [done[name] for name in self._needs.get(layer, ())]
            ready = max(before, default=done.get("", came))
            if layer in self._times.mvm:
                stops = [self._run_step(sample, number, ready) for number in self._steps[layer]]
                ready = max(stops, default=ready)
            start, stop = self.timetable.take("digital", ready, self._times.digital.get(layer, 0.0))
            done[layer] = stop
            if stop > start:
                self.operations.append(Operation(sample, layer, "finish", start, stop, SHARED))

    def _run_step(self, sample: int, number: int, ready: float) -> float:
        portions = enumerate(self._portions[number])
        return max(self._run_portion(sample, number, *portion, ready) for portion in portions)

    def _run_portion(self, sample: int, number: int, portion: int, num_vectors: int, ready: float) -> float:
        """When the sums of a portion have left. Begins later when buffers are full."""
        step = self._placement.schedule[number]
        held = _held(self._placement, step, num_vectors) if self._buffers.capacity is not None else {}
        while True:
            mark, found = self.timetable.mark, []
            about = (sample, number, portion, num_vectors)
            came = self._cross(found, "receive", about, ready)
            left = self._cross(found, "send", about, self._multiply(found, about, came.stop))
            wait = self._buffers.wait(held, came.start, left.stop)
            if wait is None:
                break
            self.timetable.undo(mark)
            ready = wait
        self._buffers.hold(held, came.start, left.stop)
        self.operations += found
        return left.stop

    def _cross(
        self, found: list[Operation], kind, about: tuple[int, int, int, int], ready: float
    ) -> Operation:
        sample, number, portion, num_vectors = about
        step = self._placement.schedule[number]
        coming, leaving = self._times.bits.get(number, (1.0, 1.0))
        whole = step.bytes_in * coming if kind == "receive" else step.bytes_out * leaving
        bits = 8 * whole * num_vectors / step.num_vectors
        start, stop = self.timetable.take(("link", step.chip), ready, bits * self._times.bit)
        found.append(
            Operation(
                sample,
                step.layer,
                kind,
                start,
                stop,
                step.chip,
                number,
                portion,
                None,
                None,
                num_vectors,
                bits,
            )
        )
        return found[-1]

    def _multiply(self, found: list[Operation], about: tuple[int, int, int, int], ready: float) -> float:
        sample, number, portion, num_vectors = about
        step = self._placement.schedule[number]
        times, places = self._times.mvm[step.layer], self._places[step.layer]
        vectors = num_vectors * self._times.vectors.get(step.layer, 1.0)
        last = ready
        for tile in step.tiles:
            address = self._placement.site(tile, step.replica).address
            start, stop = self.timetable.take(address, ready, vectors * times[places[tile]])
            found.append(
                Operation(
                    sample,
                    step.layer,
                    "multiply",
                    start,
                    stop,
                    step.chip,
                    number,
                    portion,
                    tile,
                    address,
                    num_vectors,
                )
            )
            last = max(last, stop)
        return last

    def _cut(self, step: Step) -> list[int]:
        """The vectors of each portion of a step, as few portions as let two of them into every buffer."""
        capacity = self._buffers.capacity
        if capacity is None:
            return [step.num_vectors]
        each = max(_held(self._placement, step, 1).values())
        room = int(capacity // each)
        if room < 1:
            raise CapacityError(
                f"a core's buffer of {capacity:g} bits does not hold one vector of {step.layer} and its sums, "
                f"{each:g} bits; use a larger buffer"
            )
        most = max(room // 2, 1)
        return deal(step.num_vectors, -(-step.num_vectors // most))


def _held(placement: Placement, step: Step, num_vectors: int) -> dict[Hashable, float]:
    """Bits that so many vectors and their sums take in the buffer of each core."""
    mapped = placement.mapped
    spans: dict[Hashable, set[tuple[int, int]]] = defaultdict(set)
    sums: dict[Hashable, int] = defaultdict(int)
    for number in step.tiles:
        tile = mapped.tiles[number]
        core = placement.site(number, step.replica).address[:2]
        spans[core].add((tile.input_start, tile.input_stop))
        sums[core] += tile.output_stop - tile.output_start
    bits = mapped.quantized.layers[step.layer].input_bits
    return {
        core: num_vectors * (bits * sum(stop - start for start, stop in found) + 8 * SUM_BYTES * sums[core])
        for core, found in spans.items()
    }
