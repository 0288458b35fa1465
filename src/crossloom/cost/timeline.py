"""When what works: how long the parts of a placement take, and what comes of that for one sample."""

from collections.abc import Iterable, Mapping

from crossloom.cost.actions import LayerWork, layer_clock
from crossloom.cost.report import Span
from crossloom.cost.table import ComponentTable
from crossloom.mapping import vectors_per_sample
from crossloom.placement import Operation, PipelineTimes, Placement, schedule_pipeline


def make_timeline(
    placement: Placement,
    works: Mapping[str, LayerWork],
    operations: Mapping[str, float],
    table: ComponentTable,
) -> tuple[tuple[Span, ...], float]:
    """The spans of one sample, and the seconds between samples when they follow as closely as they can.

    See `schedule_pipeline` for what waits for what. With samples following one another, the busiest of all macros,
    links and the digital unit sets the pace.

    operations: of the digital unit for every layer, per sample.
    """
    schedule = schedule_pipeline(placement, pipeline_times(placement, works, operations, table))
    return tuple(_spans(schedule.operations)), schedule.interval


def pipeline_times(
    placement: Placement,
    works: Mapping[str, LayerWork],
    operations: Mapping[str, float],
    table: ComponentTable,
) -> PipelineTimes:
    """How long MVMs, conversions, links and the digital unit take; what is not known takes no time."""
    mapped = placement.mapped
    nominal = vectors_per_sample(mapped.quantized.graph)
    bandwidth = placement.system.link.bandwidth or table.timing.link_bandwidth
    rate = table.timing.digital_rate
    mvm, conversion = {}, {}
    for name, work in works.items():
        clock, per_output = layer_clock(placement, name, table), mapped.schemes[name].columns_per_output
        mvm[name] = tuple(
            clock.mvm_time(work.integration_time(number), mapped.tiles[number].num_columns // per_output)
            for number in work.tiles
        )
        conversion[name] = clock.num_conversions * clock.conversion_time(1)
    return PipelineTimes(
        mvm=mvm,
        conversion=conversion,
        digital={name: number / rate for name, number in operations.items()} if rate else {},
        bit=1 / bandwidth if bandwidth else 0.0,
        vectors={name: work.num_vectors * work.share / nominal[name] for name, work in works.items()},
        bits=_link_shares(placement, works),
    )


def _link_shares(placement: Placement, works: Mapping[str, LayerWork]) -> dict[int, tuple[float, float]]:
    """Of what the schedule says that each step takes and gives, what crosses the link of its chip."""
    found = {}
    for number, step in enumerate(placement.schedule):
        if step.layer in works:
            coming, leaving = works[step.layer].link_bits(step)
            found[number] = coming / (8 * step.bytes_in), leaving / (8 * step.bytes_out)
    return found


def _spans(operations: Iterable[Operation]) -> list[Span]:
    """What the link and the macros of a chip do for a portion of a step, as one span each; the digital unit's apart."""
    found: dict[tuple, list[float]] = {}
    for operation in operations:
        if operation.stop > operation.start:
            about = (operation.layer, operation.chip, operation.step, operation.portion, operation.kind)
            times = found.setdefault(about, [operation.start, operation.stop])
            times[:] = min(times[0], operation.start), max(times[1], operation.stop)
    names = {"receive": "link", "multiply": "macro", "send": "link", "finish": "digital"}
    return [Span(layer, chip, names[kind], *times) for (layer, chip, _, _, kind), times in found.items()]
