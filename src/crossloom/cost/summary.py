"""A cost report for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossloom.units import format_si

if TYPE_CHECKING:
    from crossloom.cost.report import CostReport, PartCost

_LAYERS = 12
_WIDTH = 100


def summarise(report: CostReport) -> str:
    """Energy, time and area, and where they go, in 100 columns."""
    lines = [*_head(report), "", *_components(report), "", *_layers(report)]
    return "\n".join([*lines, *_notes(report)])


def _head(report: CostReport) -> list[str]:
    low, high = report.energy_range
    peak, counted = report.peak, "counted by a run" if report.kind == "account" else "expected"
    lines = [
        f"CostReport of {report.system} with table {report.table}, {counted}, mean of {report.num_samples} samples",
        f"energy {format_si(report.energy, 'J', 3)} a sample ({format_si(low, 'J', 3)} to "
        f"{format_si(high, 'J', 3)} by its sources), {report.operations_per_joule / 1e12:.3g} TOPS/W",
        f"latency {format_si(report.latency, 's', 3)}; pipelined {report.throughput:.3g} samples/s, "
        f"{report.operations_per_second / 1e12:.3g} TOPS, {format_si(report.power, 'W', 3)}",
        f"area {report.area * 1e6:.3g} mm² of the chips in use",
        f"peak {peak.throughput / 1e12:.3g} TOPS, {peak.operations_per_joule / 1e12:.3g} TOPS/W, "
        f"{peak.operations_per_area / 1e18:.3g} TOPS/mm²",
    ]
    return [*lines, *_programming(report)]


def _programming(report: CostReport) -> list[str]:
    cost = report.programming
    if cost is None:
        return []
    known = [(cost.energy, "J"), (cost.time, "s")]
    parts = [format_si(value, unit, 3) for value, unit in known if value is not None]
    return [
        f"programming once: {cost.num_pulses:,} pulses" + "".join(f", {part}" for part in parts)
        if cost.num_pulses is not None
        else "programming once: " + (", ".join(parts) or "not known")
    ]


def _components(report: CostReport) -> list[str]:
    areas = {item.component: item.area for item in report.areas}
    lines = [f"{'component':<15}{'actions':>12}{'energy':>12}{'low':>12}{'high':>12}{'share':>8}{'mm²':>10}"]
    names = dict.fromkeys([*report.energy_by_component, *areas])
    for name in sorted(names, key=lambda name: -report.energy_by_component.get(name, 0.0)):
        parts = [part for part in report.parts if part.component == name]
        count = sum(part.count for part in parts)
        lines.append(
            f"{name:<15}{_count(count):>12}{_energies(parts, report.energy)}{_area(areas.get(name))}"
        )
    return lines


def _layers(report: CostReport) -> list[str]:
    lines = [f"{'layer':<39}{'energy':>12}{'low':>12}{'high':>12}{'share':>8}{'latency':>12}"]
    found = sorted(report.energy_by_layer.items(), key=lambda item: -item[1])
    latency = report.latency_by_layer
    for name, _ in found[:_LAYERS]:
        parts = [part for part in report.parts if part.layer == name]
        time = format_si(latency[name], "s", 3) if name in latency else "-"
        lines.append(f"{(name or '(no layer)')[:38]:<39}{_energies(parts, report.energy)}{time:>12}")
    rest = found[_LAYERS:]
    if rest:
        lines.append(f"and {len(rest)} more layers, {format_si(sum(energy for _, energy in rest), 'J', 3)}")
    return lines


def _energies(parts: list[PartCost], whole: float) -> str:
    sums = [sum(getattr(part, name) for part in parts) for name in ("energy", "energy_low", "energy_high")]
    share = sums[0] / whole if whole else 0.0
    return "".join(f"{format_si(value, 'J', 3):>12}" for value in sums) + f"{share:>8.1%}"


def _area(area: float | None) -> str:
    return f"{'-' if area is None else format(area * 1e6, '.3g'):>10}"


def _count(count: float) -> str:
    return f"{count:,.0f}" if count < 1e9 else f"{count:.3g}"


def _notes(report: CostReport) -> list[str]:
    from textwrap import wrap

    return [line for note in report.notes for line in wrap(f"note: {note}", _WIDTH, subsequent_indent="  ")]
