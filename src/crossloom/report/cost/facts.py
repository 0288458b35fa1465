"""What a cost report holds, summed up by layer, by component and by what is busy when."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossloom.cost import CostReport, PartCost, Span

Facts = dict[str, Any]


def gather_cost(cost: "CostReport", title: str | None = None) -> Facts:
    """All that is known of the cost: energies in J and times in s for one sample, areas in m²."""
    return {
        "kind": "CostReport",
        "schema": 1,
        "title": title or f"What a sample costs on {cost.system}",
        "system": cost.system,
        "table": cost.table,
        "way": cost.kind,
        "num_samples": cost.num_samples,
        "energy": _sum(cost.parts),
        "latency": cost.latency,
        "interval": cost.interval,
        "num_operations": cost.num_operations,
        "rates": {
            "effective": _rates(cost.operations_per_second, cost.power, cost.area),
            "peak": _rates(cost.peak.throughput, cost.peak.power, cost.peak.area),
        },
        "layers": _layers(cost),
        "components": _components(cost),
        "areas": [asdict(part) for part in cost.areas],
        "area": cost.area,
        "spans": [asdict(span) for span in cost.spans],
        "programming": None if cost.programming is None else asdict(cost.programming),
        "notes": list(cost.notes),
    }


def _sum(parts: "Iterable[PartCost]") -> Facts:
    """Energies added; the range is that of constants that are all too low, or all too high, at once."""
    held = list(parts)
    return {
        "energy": sum(part.energy for part in held),
        "energy_low": sum(part.energy_low for part in held),
        "energy_high": sum(part.energy_high for part in held),
    }


def _rates(throughput: float, power: float, area: float) -> Facts:
    """Operations per second, per joule and per second and area; None where nothing is known to divide by."""
    return {
        "throughput": throughput or None,
        "power": power or None,
        "operations_per_joule": throughput / power if throughput and power else None,
        "operations_per_area": throughput / area if throughput and area else None,
    }


def _layers(cost: "CostReport") -> list[Facts]:
    """A row for every layer in the order in which they run; what belongs to none comes last, without a name."""
    order = list(dict.fromkeys([*(span.layer for span in cost.spans), *(part.layer for part in cost.parts)]))
    order.sort(key=lambda name: name == "")
    rows = []
    for name in order:
        parts = [part for part in cost.parts if part.layer == name]
        spans = [span for span in cost.spans if span.layer == name]
        rows.append({"name": name, **_sum(parts), "components": _by_component(parts), **_times(spans)})
    return rows


def _by_component(parts: "Iterable[PartCost]") -> dict[str, float]:
    energies: dict[str, float] = {}
    for part in parts:
        energies[part.component] = energies.get(part.component, 0.0) + part.energy
    return energies


def _times(spans: "list[Span]") -> Facts:
    """When a layer begins and ends, and how long each resource works for it on any chip at all."""
    if not spans:
        return {"start": None, "stop": None, "latency": None, "busy": {}}
    resources = dict.fromkeys(span.resource for span in spans)
    start, stop = min(span.start for span in spans), max(span.stop for span in spans)
    busy = {name: _union(span for span in spans if span.resource == name) for name in resources}
    return {"start": start, "stop": stop, "latency": stop - start, "busy": busy}


def _union(spans: "Iterable[Span]") -> float:
    """The time during which at least one of the spans lasts."""
    total, reached = 0.0, float("-inf")
    for span in sorted(spans, key=lambda span: span.start):
        total += max(span.stop - max(span.start, reached), 0.0)
        reached = max(reached, span.stop)
    return total


def _components(cost: "CostReport") -> list[Facts]:
    """A row for every component that costs energy, dearest first."""
    rows = []
    for name in dict.fromkeys(part.component for part in cost.parts):
        parts = [part for part in cost.parts if part.component == name]
        rows.append({"name": name, "count": sum(part.count for part in parts), **_sum(parts)})
    return sorted(rows, key=lambda row: -row["energy"])
