"""Cost and tuning reports by hand, for tests of how they are shown."""

from collections.abc import Sequence

from crossloom.cost import AreaCost, CostReport, PartCost, Peak, ProgrammingCost, Span
from crossloom.search.tuning import LayerTuning, Scores, TuningResult

RESNET_LAYERS = (
    "conv1",
    *(f"layer{stage}.{block}.conv{number}" for stage in (1, 2, 3) for block in range(5) for number in (1, 2)),
    "layer2.0.shortcut.0.conv",
    "layer3.0.shortcut.0.conv",
    "linear",
)


def make_cost(names: Sequence[str] = ("first", "second"), **changes) -> CostReport:
    """Every layer takes 3 nJ in converters (2 to 5) and 1 nJ in cells, and 4 µs: link, then macros, then digital, the
    last two at once for 1 µs; leakage of 2 nJ belongs to no layer."""
    parts, spans = [PartCost("", "leakage", 1, 2e-9, 1e-9, 4e-9)], []
    for number, name in enumerate(names):
        parts += [
            PartCost(name, "adc", 100, 3e-9, 2e-9, 5e-9),
            PartCost(name, "cells", 400, 1e-9, 1e-9, 1e-9),
        ]
        for resource, start, stop in (("link", 0, 1), ("macro", 1, 3), ("digital", 2, 4)):
            begin = 4 * number
            spans.append(Span(name, number % 8, resource, (begin + start) * 1e-6, (begin + stop) * 1e-6))
    areas = (AreaCost("adc", 8, 3e-6, 2e-6, 4e-6), AreaCost("cells", 8, 1e-6, 1e-6, 1e-6))
    fields = {
        "system": "tsinghua_c200",
        "table": "usual",
        "kind": "estimate",
        "num_samples": 1,
        "parts": tuple(parts),
        "areas": areas,
        "spans": tuple(spans),
        "interval": 4e-6,
        "peak": Peak(throughput=1e12, power=0.5, area=4e-6),
        "programming": ProgrammingCost(1000, 2e-6, None),
        "num_operations": 20000,
        "notes": ("a note on costs",),
    }
    return CostReport(**(fields | changes))


def make_tuning(names: Sequence[str] = ("first", "second"), **changes) -> TuningResult:
    """Errors halve in every layer: two thirds of that by the integration time, the rest by offsets."""
    layers = tuple(
        LayerTuning(
            name,
            0.6,
            0.3,
            {"integration_time": 63.0, "offset": 0.0},
            {"integration_time": 41.0, "offset": 0.5},
            {"integration_time": 0.2, "offset": 0.1},
        )
        for name in names
    )
    fields = {
        "method": "layer_by_layer",
        "before": Scores(0.60, 0.5, 400),
        "after": Scores(0.68, 0.2, 400),
        "layers": layers,
        "worth": {"integration_time": 0.09, "offset": -0.01},
        "trajectory": ((1.0, 0.5), (2.5, 0.3), (4.0, 0.2)),
        "num_evaluations": 4.0,
        "num_mvms": 12345,
        "notes": ("a note on tuning",),
    }
    return TuningResult(**(fields | changes))
