"""What a placement or a run costs: energy, time and area of every layer and component."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from crossloom.artefacts import Artefact, saved

COMPONENTS = (
    "cells",
    "dac",
    "integrator",
    "adc",
    "shift_and_add",
    "buffer",
    "link",
    "digital",
    "leakage",
)
"""Every component that a part of a report can belong to, from the cells outwards."""


@saved
@dataclass(frozen=True)
class PartCost:
    """One component of one layer, for one sample.

    layer: "" for what belongs to no layer.  count: of what the component is there for (conversions of an adc, bits of a
    buffer), whatever a table has it take energy for.  energy, energy_low, energy_high: J.
    """

    layer: str
    component: str
    count: float
    energy: float
    energy_low: float
    energy_high: float


@saved
@dataclass(frozen=True)
class AreaCost:
    """All of one component on the chips in use.  count: how many there are.  area, area_low, area_high: m²."""

    component: str
    count: float
    area: float
    area_low: float
    area_high: float


@saved
@dataclass(frozen=True)
class Span:
    """What a resource does for one layer of one sample, from `start` to `stop`, s after the sample came in.

    chip: its number; -1 for what all chips share.  resource: "macro", "link" or "digital".
    """

    layer: str
    chip: int
    resource: str
    start: float
    stop: float


@saved
@dataclass(frozen=True)
class Peak:
    """Every macro of every chip at work, all cells in use.  throughput: operations/s.  power: W.  area: m²."""

    throughput: float
    power: float
    area: float

    @property
    def operations_per_joule(self) -> float:
        return _ratio(self.throughput, self.power)

    @property
    def operations_per_area(self) -> float:
        """Operations per second and m²; 10¹² of them are one GOPS/mm² times 1,000."""
        return _ratio(self.throughput, self.area)


@saved
@dataclass(frozen=True)
class ProgrammingCost:
    """What writing the cells once takes.

    num_pulses: None where nobody counted.  energy: of the pulses in the cells, J; None where no voltage is known.
    time: of all pulses one after the other, s; None where they were not timed.
    """

    num_pulses: int | None
    energy: float | None
    time: float | None


@saved
@dataclass(frozen=True)
class CostReport(Artefact):
    """Energy, time and area. Energies and times are for one sample.

    table: name of the component table.  kind: whether it was expected before running, or counted by a run.
    num_samples: how many the figures are a mean over.  interval: s between samples when layers work on different
    samples at the same time.  num_operations: two per multiplication of products, on crossbars or not, per sample.
    """

    system: str
    table: str
    kind: Literal["estimate", "account"]
    num_samples: int
    parts: tuple[PartCost, ...] = field(repr=False)
    areas: tuple[AreaCost, ...] = field(repr=False)
    spans: tuple[Span, ...] = field(repr=False)
    interval: float
    peak: Peak
    programming: ProgrammingCost | None
    num_operations: int
    notes: tuple[str, ...] = ()

    @property
    def energy(self) -> float:
        """J per sample."""
        return sum(part.energy for part in self.parts)

    @property
    def energy_range(self) -> tuple[float, float]:
        """The least and the most that the table's sources allow, J per sample."""
        return sum(part.energy_low for part in self.parts), sum(part.energy_high for part in self.parts)

    @property
    def latency(self) -> float:
        """From the first bit of a sample to the last of its answer, s."""
        return max((span.stop for span in self.spans), default=0.0)

    @property
    def throughput(self) -> float:
        """Samples per second, when layers work on different samples at the same time; 0 where no time is known."""
        return _ratio(1.0, self.interval)

    @property
    def power(self) -> float:
        """W, at full throughput."""
        return self.energy * self.throughput

    @property
    def area(self) -> float:
        """m² of the chips in use."""
        return sum(item.area for item in self.areas)

    @property
    def area_range(self) -> tuple[float, float]:
        """The least and the most that the table's sources allow, m²."""
        return sum(item.area_low for item in self.areas), sum(item.area_high for item in self.areas)

    @property
    def operations_per_second(self) -> float:
        """Effective operations per second, at full throughput."""
        return self.num_operations * self.throughput

    @property
    def operations_per_joule(self) -> float:
        """Effective operations per joule; 10¹² of them are one TOPS/W."""
        return _ratio(self.num_operations, self.energy)

    @property
    def operations_per_area(self) -> float:
        """Effective operations per second and m²."""
        return _ratio(self.operations_per_second, self.area)

    @property
    def energy_by_component(self) -> Mapping[str, float]:
        """J per sample of every component that took any."""
        return _gather((part.component, part.energy) for part in self.parts)

    @property
    def energy_by_layer(self) -> Mapping[str, float]:
        """J per sample of every layer; "" is what belongs to none."""
        return _gather((part.layer, part.energy) for part in self.parts)

    @property
    def share_by_component(self) -> Mapping[str, float]:
        """Every component's share of the energy."""
        return _shares(self.energy_by_component)

    @property
    def share_by_layer(self) -> Mapping[str, float]:
        """Every layer's share of the energy."""
        return _shares(self.energy_by_layer)

    @property
    def latency_by_layer(self) -> Mapping[str, float]:
        """s from when a layer begins to when it ends, for one sample; layers may overlap."""
        starts, stops = {}, {}
        for span in self.spans:
            starts[span.layer] = min(starts.get(span.layer, span.start), span.start)
            stops[span.layer] = max(stops.get(span.layer, span.stop), span.stop)
        return {name: stops[name] - starts[name] for name in starts}

    def summary(self) -> str:
        """Energy, time and area, and where they go."""
        from crossloom.cost.summary import summarise

        return summarise(self)


def _ratio(above: float, below: float) -> float:
    return above / below if below else 0.0


def _gather(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for name, value in pairs:
        found[name] += value
    return dict(found)


def _shares(values: Mapping[str, float]) -> dict[str, float]:
    whole = sum(values.values())
    return {name: _ratio(value, whole) for name, value in values.items()}
