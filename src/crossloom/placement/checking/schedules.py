"""Whether a pipelined schedule is legal: everything done once, in order, nothing doing two things at a time."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from itertools import pairwise

from crossloom.placement.checking.placements import ancestors
from crossloom.placement.checking.violation import Violation
from crossloom.placement.pipelining import Operation, PipelineSchedule

_SLACK = 1e-9
"""Share of a time by which sums of floats may stray."""
_SUM_BITS = 32
_Portion = tuple[int, int, int]
"""Sample, step and portion."""


def check_schedule(schedule: PipelineSchedule) -> tuple[Violation, ...]:
    """Every rule that a schedule breaks; nothing when it is legal.

    Rules: `unknown step`, `wrong place`, `missing operation`, `operation twice`, `vectors`, `resource busy` (a macro, a
    link or the digital unit does two things at once), `macro too fast`, `converter overflow`, `link overflow`, `digital
    too fast`, `buffer overflow`, `wrong order`.
    """
    broken = list(_places(schedule))
    if broken:
        return tuple(broken)
    portions: dict[_Portion, list[Operation]] = defaultdict(list)
    for found in schedule.operations:
        if found.step is not None:
            portions[found.sample, found.step, found.portion].append(found)
    return (
        *_whole(schedule, portions),
        *_alone(schedule.operations),
        *_slow_enough(schedule),
        *_in_portions(portions),
        *_between_layers(schedule),
        *_buffered(schedule, portions),
    )


def _places(schedule: PipelineSchedule) -> Iterator[Violation]:
    """Whether every operation belongs to a step, and is where the tile lies."""
    placement = schedule.placement
    for found in schedule.operations:
        if found.kind == "finish":
            continue
        if found.step is None or not 0 <= found.step < len(placement.schedule):
            yield Violation("unknown step", f"{_name(found)} is of step {found.step}")
            continue
        step = placement.schedule[found.step]
        if found.chip != step.chip or found.layer != step.layer:
            yield Violation("wrong place", f"{_name(found)} is not on chip {step.chip}, of {step.layer}")
        if found.kind != "multiply":
            continue
        if found.tile not in step.tiles:
            yield Violation("wrong place", f"{_name(found)} is of tile {found.tile}, which the step has not")
        elif found.address != placement.site(found.tile, step.replica).address:
            yield Violation("wrong place", f"{_name(found)} is on {found.address}, where its tile is not")


def _whole(schedule: PipelineSchedule, portions: dict[_Portion, list[Operation]]) -> Iterator[Violation]:
    """Whether all vectors of all samples meet all tiles once."""
    dealt: Counter[tuple[int, int]] = Counter()
    for (sample, step, _), found in portions.items():
        numbers = {operation.num_vectors for operation in found}
        dealt[sample, step] += max(numbers)
        counts = Counter((operation.kind, operation.tile) for operation in found)
        wanted = [("receive", None), ("send", None)]
        wanted += [("multiply", tile) for tile in schedule.placement.schedule[step].tiles]
        about = f"sample {sample}, step {step}"
        if len(numbers) > 1:
            yield Violation("vectors", f"{about}: a portion has operations of {sorted(numbers)} vectors")
        for each in wanted:
            if not counts[each]:
                yield Violation("missing operation", f"{about}: no {each[0]} of tile {each[1]}")
            if counts[each] > 1:
                yield Violation(
                    "operation twice", f"{about}: {counts[each]} times {each[0]} of tile {each[1]}"
                )
    ran = [
        (number, step)
        for number, step in enumerate(schedule.placement.schedule)
        if step.layer in schedule.times.mvm
    ]
    for sample in range(schedule.num_samples):
        for number, step in ran:
            if (sample, number) not in dealt:
                yield Violation("missing operation", f"sample {sample} never runs step {number}")
            elif dealt[sample, number] != step.num_vectors:
                yield Violation(
                    "vectors",
                    f"sample {sample}, step {number}: {dealt[sample, number]} of {step.num_vectors} vectors",
                )
    yield from _finished(schedule)


def _finished(schedule: PipelineSchedule) -> Iterator[Violation]:
    """Whether the digital unit finishes every layer of every sample once."""
    counts = Counter((found.sample, found.layer) for found in schedule.operations if found.kind == "finish")
    for layer, time in schedule.times.digital.items():
        for sample in range(schedule.num_samples):
            number = counts[sample, layer]
            if number > 1 or (time > 0 and not number):
                rule = "operation twice" if number else "missing operation"
                yield Violation(
                    rule, f"the digital unit finishes {layer!r} of sample {sample} {number} times"
                )


def _alone(operations: Iterable[Operation]) -> Iterator[Violation]:
    """Whether every resource does one thing at a time."""
    held: dict[str, list[Operation]] = defaultdict(list)
    for found in operations:
        if found.stop > found.start:
            held[found.resource].append(found)
    for resource, found in held.items():
        found.sort(key=lambda operation: operation.start)
        for one, other in pairwise(found):
            if _before(other.start, one.stop):
                yield Violation("resource busy", f"{resource} does {_name(one)} and {_name(other)} at once")


def _slow_enough(schedule: PipelineSchedule) -> Iterator[Violation]:
    """Whether operations take the time that macros, converters, links and the digital unit need."""
    placement, times = schedule.placement, schedule.times
    mapped = placement.mapped
    shared = placement.system.macro.readout.columns_per_adc
    places = {
        layer: {tile: place for place, tile in enumerate(mapped.tiles_of[layer])} for layer in times.mvm
    }
    for found in schedule.operations:
        took = found.stop - found.start
        if found.kind == "finish":
            if _before(took, times.digital.get(found.layer, 0.0)):
                yield Violation("digital too fast", f"{_name(found)} takes {took:g} s")
        elif found.kind == "multiply":
            vectors = found.num_vectors * times.vectors.get(found.layer, 1.0)
            assert found.tile is not None
            if _before(took, vectors * times.mvm[found.layer][places[found.layer][found.tile]]):
                yield Violation("macro too fast", f"{_name(found)} takes {took:g} s for {vectors:g} vectors")
            per_output = mapped.schemes[found.layer].columns_per_output
            columns = min(mapped.tiles[found.tile].num_columns // per_output, shared or 1)
            if _before(took, vectors * columns * times.conversion.get(found.layer, 0.0)):
                yield Violation("converter overflow", f"{_name(found)}: {columns} columns share a converter")
        else:
            yield from _link_fits(schedule, found)


def _link_fits(schedule: PipelineSchedule, found: Operation) -> Iterator[Violation]:
    assert found.step is not None
    step, times = schedule.placement.schedule[found.step], schedule.times
    coming, leaving = times.bits.get(found.step, (1.0, 1.0))
    whole = 8 * (step.bytes_in * coming if found.kind == "receive" else step.bytes_out * leaving)
    needed = whole * found.num_vectors / step.num_vectors
    if _before(found.bits, needed):
        yield Violation("missing operation", f"{_name(found)} moves {found.bits:g} of {needed:g} bits")
    if _before(found.stop - found.start, found.bits * times.bit):
        yield Violation(
            "link overflow", f"{_name(found)} moves {found.bits:g} bits in {found.stop - found.start:g} s"
        )


def _in_portions(portions: dict[_Portion, list[Operation]]) -> Iterator[Violation]:
    """Whether inputs are there before macros multiply, and sums before they leave."""
    for (sample, step, _), found in portions.items():
        stages = [[each for each in found if each.kind == kind] for kind in ("receive", "multiply", "send")]
        for one, other in pairwise(stages):
            if one and other and _before(min(o.start for o in other), max(o.stop for o in one)):
                kinds = f"{other[0].kind} before its {one[0].kind}"
                yield Violation("wrong order", f"sample {sample}, step {step}: {kinds} has ended")


def _between_layers(schedule: PipelineSchedule) -> Iterator[Violation]:
    """Whether layers of a sample wait for those that they need, and the digital unit for sums."""
    begins: dict[tuple[int, str], float] = {}
    ends: dict[tuple[int, str], float] = {}
    for found in schedule.operations:
        key = found.sample, found.layer
        ends[key] = max(ends.get(key, found.stop), found.stop)
        if found.kind != "finish":
            begins[key] = min(begins.get(key, found.start), found.start)
    before = ancestors(schedule.placement.mapped.quantized.graph)
    for (sample, layer), start in begins.items():
        for name in ("", *before.get(layer, ())):
            if _before(start, ends.get((sample, name), 0.0)):
                yield Violation(
                    "wrong order", f"sample {sample}: {layer} begins before {name or 'the first part'} ends"
                )
    yield from _sums_come_first(schedule)


def _sums_come_first(schedule: PipelineSchedule) -> Iterator[Violation]:
    left: dict[tuple[int, str], float] = {}
    for found in schedule.operations:
        if found.kind == "send":
            key = found.sample, found.layer
            left[key] = max(left.get(key, found.stop), found.stop)
    for found in schedule.operations:
        if found.kind == "finish" and _before(found.start, left.get((found.sample, found.layer), 0.0)):
            yield Violation("wrong order", f"{_name(found)} begins before all sums are there")


def _buffered(schedule: PipelineSchedule, portions: dict[_Portion, list[Operation]]) -> Iterator[Violation]:
    """Whether buffers hold the inputs and sums of all portions between their coming and leaving."""
    capacity = schedule.placement.system.chip.core.buffer.capacity
    if capacity is None:
        return
    marks: dict[Hashable, list[tuple[float, float]]] = defaultdict(list)
    for (_, number, _), found in portions.items():
        start = min((o.start for o in found if o.kind == "receive"), default=0.0)
        stop = max((o.stop for o in found if o.kind == "send"), default=start)
        for core, bits in _bits(schedule, number, max(o.num_vectors for o in found)).items():
            marks[core] += [(start, bits), (stop, -bits)]
    for core, changes in marks.items():
        full = 0.0
        for time, bits in sorted(changes):
            full += bits
            if full > capacity * (1 + _SLACK):
                yield Violation(
                    "buffer overflow",
                    f"the buffer of {core} holds {full:g} of {capacity:g} bits at {time:g} s",
                )
                break


def _bits(schedule: PipelineSchedule, number: int, num_vectors: int) -> dict[Hashable, float]:
    """Bits of so many vectors of a step in the buffer of each core, span by span and sum by sum."""
    placement, step = schedule.placement, schedule.placement.schedule[number]
    found: dict[Hashable, float] = defaultdict(float)
    seen = set()
    for tile in step.tiles:
        held, address = placement.mapped.tiles[tile], placement.site(tile, step.replica).address
        core = f"chip {address.chip}, core {address.core}"
        found[core] += _SUM_BITS * (held.output_stop - held.output_start) * num_vectors
        if (core, held.input_start, held.input_stop) not in seen:
            seen.add((core, held.input_start, held.input_stop))
            bits = placement.mapped.quantized.layers[step.layer].input_bits
            found[core] += bits * (held.input_stop - held.input_start) * num_vectors
    return found


def _before(one: float, other: float) -> bool:
    """Whether one time is less than the other by more than floats stray."""
    return one < other - _SLACK * max(abs(one), abs(other))


def _name(found: Operation) -> str:
    return f"{found.kind} of {found.layer!r} of sample {found.sample}"
