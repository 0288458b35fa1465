"""The artefact: operations with their times, which can be drawn, replayed and checked."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from crossloom.artefacts import Artefact, saved
from crossloom.placement.pipelining.drawing import draw
from crossloom.placement.place import Placement
from crossloom.spec import MacroAddress
from crossloom.units import format_si

Kind = Literal["receive", "multiply", "send", "finish"]
SHARED = -1
"""The chip of what all chips share: the digital unit."""


@saved
@dataclass(frozen=True)
class PipelineTimes:
    """How long things take, s.

    mvm: by layer, one MVM of each of its tiles, in their order.  conversion: by layer, the conversions of one column in
    an MVM.  digital: by layer, the digital unit for one sample; "" is what comes before all layers.  bit: one bit over
    a link; 0 where no bandwidth is known.  vectors: by layer, what the vectors of a step are multiplied with (where
    inputs brought more or fewer than the graph says, or copies share them).  bits: by the number of the step, the same
    for what crosses the link of its chip: to it, and from it.  Layers without `mvm` are not run on macros.
    """

    mvm: Mapping[str, tuple[float, ...]]
    conversion: Mapping[str, float] = field(default_factory=dict)
    digital: Mapping[str, float] = field(default_factory=dict)
    bit: float = 0.0
    vectors: Mapping[str, float] = field(default_factory=dict)
    bits: Mapping[int, tuple[float, float]] = field(default_factory=dict)


@saved
@dataclass(frozen=True)
class Operation:
    """What one resource does for one sample, from `start` to `stop`, s after the first sample came in.

    kind: `receive` and `send` are of the link of `chip`, `multiply` of the macro at `address`, `finish` of the digital
    unit.  step: number of the placement's step; None for `finish`.  portion: steps whose inputs do not fit the buffers
    run in several.  tile: of `multiply`.  num_vectors: of the portion.  bits: that cross the link.
    """

    sample: int
    layer: str
    kind: Kind
    start: float
    stop: float
    chip: int
    step: int | None = None
    portion: int = 0
    tile: int | None = None
    address: MacroAddress | None = None
    num_vectors: int = 0
    bits: float = 0.0

    @property
    def resource(self) -> str:
        """What does it."""
        if self.kind == "multiply":
            return str(self.address)
        return "digital unit" if self.kind == "finish" else f"link of chip {self.chip}"


@saved
@dataclass(frozen=True)
class PipelineSchedule(Artefact):
    """Operations of samples that follow one another, every `interval` seconds, in the order in which they begin."""

    placement: Placement = field(repr=False)
    times: PipelineTimes = field(repr=False)
    num_samples: int
    interval: float
    operations: tuple[Operation, ...] = field(repr=False)

    @property
    def latency(self) -> float:
        """From when the first sample comes in to the last bit of its answer, s."""
        return max((found.stop for found in self.operations if found.sample == 0), default=0.0)

    @property
    def makespan(self) -> float:
        """To the last bit of the last answer, s."""
        return max((found.stop for found in self.operations), default=0.0)

    @cached_property
    def busy(self) -> Mapping[str, float]:
        """Seconds that each resource works for all samples, the busiest first."""
        found: dict[str, float] = defaultdict(float)
        for operation in self.operations:
            found[operation.resource] += operation.stop - operation.start
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def replay(self) -> Iterator[tuple[float, bool, Operation]]:
        """Every beginning and end in the order of time: when, whether it begins, and what. Ends come first."""
        marks: list[tuple[float, int, int, int]] = []
        for number, found in enumerate(self.operations):
            if found.stop > found.start:
                marks += [(found.stop, 0, number, 0), (found.start, 2, number, 1)]
            else:  # what takes no time begins before it ends, between the others
                marks += [(found.start, 1, number, 1), (found.stop, 1, number, 2)]
        for time, _, number, mark in sorted(marks):
            yield time, mark == 1, self.operations[number]

    def drawing(self, width: int = 100, most: int = 40) -> str:
        """The busiest resources as lines of text, time from left to right; digits are samples."""
        return draw(self, width, most)

    def summary(self) -> str:
        """How fast samples follow one another, and what holds them up."""
        busiest = next(iter(self.busy.items()), ("nothing", 0.0))
        return (
            f"PipelineSchedule of {self.num_samples} samples on {self.placement.system.name}: "
            f"{len(self.operations):,} operations, one sample every {format_si(self.interval, 's', 3)}, latency "
            f"{format_si(self.latency, 's', 3)}, all done after {format_si(self.makespan, 's', 3)}; busiest: "
            f"{busiest[0]}, {busiest[1] / self.makespan if self.makespan else 0.0:.0%} of the time"
        )
