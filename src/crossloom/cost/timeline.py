"""When what works, for one sample: layer by layer, each resource doing one thing at a time."""

from bisect import insort
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from crossloom.cost.actions import LayerWork, layer_clock
from crossloom.cost.report import Span
from crossloom.cost.table import ComponentTable
from crossloom.placement import Placement, Step, matrix_dependencies

SHARED = -1
"""The chip of what all chips share: the digital unit."""


@dataclass
class _Resources:
    """When each resource is taken, in order, and how long it works: by what names it."""

    taken: dict[object, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    busy: dict[object, float] = field(default_factory=lambda: defaultdict(float))

    def take(self, resource: object, ready: float, duration: float) -> tuple[float, float]:
        """From when to when a resource works that may begin when it is `ready`, in the first long enough gap."""
        if not duration:
            return ready, ready
        start = ready
        for begin, end in self.taken[resource]:
            if begin - start >= duration:
                break
            start = max(start, end)
        insort(self.taken[resource], (start, start + duration))
        self.busy[resource] += duration
        return start, start + duration


def make_timeline(
    placement: Placement,
    works: Mapping[str, LayerWork],
    operations: Mapping[str, float],
    table: ComponentTable,
) -> tuple[tuple[Span, ...], float]:
    """The spans of one sample, and the seconds between samples when they follow as closely as they can.

    A layer's inputs cross the link, its macros multiply, its sums cross back, and the digital unit finishes them;
    each waits for the one before, and for whatever holds it. Tiles on one macro take turns. With samples following one
    another, the busiest of all macros, links and the digital unit sets the pace.

    operations: of the digital unit for every layer, per sample.
    """
    graph = placement.mapped.quantized.graph
    needs, resources = matrix_dependencies(graph), _Resources()
    done: dict[str, float] = {}
    spans: list[Span] = []
    rate = table.timing.digital_rate
    for layer in ["", *(node.name for node in graph.matrices)]:
        ready = max((done[name] for name in needs.get(layer, ())), default=done.get("", 0.0))
        if layer in works:
            for step in works[layer].steps:
                spans += _run_step(placement, works[layer], step, table, resources, ready)
        ready = max((span.stop for span in spans if span.layer == layer), default=ready)
        start, stop = resources.take("digital", ready, operations.get(layer, 0.0) / rate if rate else 0.0)
        done[layer] = stop
        if stop > start:
            spans.append(Span(layer, SHARED, "digital", start, stop))
    return tuple(spans), max(resources.busy.values(), default=0.0)


def _run_step(
    placement: Placement,
    work: LayerWork,
    step: Step,
    table: ComponentTable,
    resources: _Resources,
    ready: float,
) -> list[Span]:
    bandwidth = placement.system.link.bandwidth or table.timing.link_bandwidth
    coming, leaving = (bits / bandwidth if bandwidth else 0.0 for bits in work.link_bits(step))
    came = resources.take(("link", step.chip), ready, coming)
    multiplied = _multiply(placement, work, step, table, resources, came[1])
    left = resources.take(("link", step.chip), multiplied[1], leaving)
    named = (("link", came), ("macro", multiplied), ("link", left))
    return [Span(step.layer, step.chip, name, *times) for name, times in named if times[1] > times[0]]


def _multiply(
    placement: Placement,
    work: LayerWork,
    step: Step,
    table: ComponentTable,
    resources: _Resources,
    ready: float,
) -> tuple[float, float]:
    """When the tiles of a step work: those on one macro one after another, macros at the same time."""
    clock = layer_clock(placement, step.layer, table)
    per_output = placement.mapped.schemes[step.layer].columns_per_output
    times = []
    for number in step.tiles:
        columns = placement.mapped.tiles[number].num_columns // per_output
        each = clock.mvm_time(work.integration_time(number), columns)
        address = placement.sites[number].address
        times.append(resources.take(address, ready, work.num_vectors * work.share * each))
    return min(start for start, _ in times), max(stop for _, stop in times)
