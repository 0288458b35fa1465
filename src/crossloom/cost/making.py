"""From the work of layers to a report."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from crossloom.cost.actions import LayerWork, layer_actions, sum_operations
from crossloom.cost.digital import DigitalWork, digital_work, owners
from crossloom.cost.energies import parts_of
from crossloom.cost.instances import areas_of, standing_power
from crossloom.cost.peak import peak
from crossloom.cost.report import CostReport, PartCost, ProgrammingCost
from crossloom.cost.table import Action, ComponentTable
from crossloom.cost.timeline import make_timeline
from crossloom.mapping import vectors_per_sample
from crossloom.placement import Placement


@dataclass(frozen=True)
class Work:
    """All that a report is made from.

    layers: what mapped layers did.  digital_layers: mapped layers that the digital unit did in their place.
    """

    placement: Placement
    kind: Literal["estimate", "account"]
    layers: Mapping[str, LayerWork]
    num_samples: int
    digital_layers: tuple[str, ...] = ()
    programming: ProgrammingCost | None = None
    notes: tuple[str, ...] = ()


def make_report(work: Work, table: ComponentTable) -> CostReport:
    """Energies, areas and times of what was done."""
    placement, system = work.placement, work.placement.system
    digital = digital_work(placement.mapped)
    parts, operations, notes = _layer_parts(work, digital, table)
    spans, interval = make_timeline(placement, work.layers, operations, table)
    num_chips = len({address.chip for address in placement.macros})
    standing = standing_power(system, table, num_chips)
    parts += [PartCost("", name, 0.0, *power.times(interval)) for name, power in standing.items()]
    times = [layer.integration_time(tile) for layer in work.layers.values() for tile in layer.tiles]
    return CostReport(
        system=system.name,
        table=table.name,
        kind=work.kind,
        num_samples=work.num_samples,
        parts=tuple(parts),
        areas=areas_of(system, table, num_chips),
        spans=spans,
        interval=interval,
        peak=peak(system, table, integration_time=sum(times) / len(times) if times else 1.0),
        programming=work.programming,
        num_operations=digital.num_operations,
        notes=(*table.notes, *work.notes, *notes, *_missing(placement, table)),
    )


def _layer_parts(
    work: Work, digital: DigitalWork, table: ComponentTable
) -> tuple[list[PartCost], dict[str, float], tuple[str, ...]]:
    """The parts of all layers, the digital unit's operations by layer, and what could not be known."""
    system = work.placement.system
    found = {name: layer_actions(layer, table) for name, layer in work.layers.items()}
    operations = operations_by_layer(work, digital)
    parts: list[PartCost] = []
    for name, number in operations.items():
        if name not in found:
            parts += parts_of(name, _operations(number), 0.0, None, system, table)
    for name, actions in found.items():
        counts: dict[Action, float] = {**actions.counts, **_operations(operations[name])}
        parts += parts_of(name, counts, actions.cells.count, actions.cells.energy, system, table)
    notes = []
    if any(actions.cells.energy is None for actions in found.values()):
        notes.append("no read voltage, or no time of a read, is known: what the cells take is left out")
    if digital.unknown:
        names = ", ".join(digital.unknown[:5])
        notes.append(f"{len(digital.unknown)} digital operations could not be counted: {names}")
    return parts, operations, tuple(notes)


def operations_by_layer(work: Work, digital: DigitalWork) -> dict[str, float]:
    """What the digital unit does for each layer and one sample: its sums, and what follows it in the graph."""
    operations: dict[str, float] = defaultdict(float)
    owner = owners(work.placement.mapped.quantized.graph)
    for name, number in digital.by_node.items():
        operations[owner[name]] += number
    for name in work.digital_layers:
        operations[name] += 2.0 * _macs(work.placement, name)
    for name, layer in work.layers.items():
        operations[name] += sum_operations(layer)
    return dict(operations)


def _operations(number: float) -> dict[Action, float]:
    return {"operation": number}


def _macs(placement: Placement, layer: str) -> float:
    graph_layer = placement.mapped.quantized.layers[layer]
    return graph_layer.weight.numel() * vectors_per_sample(placement.mapped.quantized.graph)[layer]


def _missing(placement: Placement, table: ComponentTable) -> tuple[str, ...]:
    """What the table and the system leave unknown, so that it costs nothing here."""
    macro, timing, notes = placement.system.macro, table.timing, []
    if macro.readout.bits is None:
        notes.append("converters are ideal, of no number of bits: they take neither energy nor time here")
    elif table.adc is None:
        notes.append(f"{table.name} knows no converter: conversions take neither energy nor time here")
    elif table.adc.step_time is None:
        notes.append("no time of a conversion is known: it takes none here")
    if not (macro.readout.integrator or macro.dac.cycle_time or timing.read_time):
        notes.append("no time of a read is known: it takes none here")
    if not (placement.system.link.bandwidth or timing.link_bandwidth):
        notes.append("no bandwidth of links is known: crossing them takes no time here")
    if timing.digital_rate is None:
        notes.append("no rate of the digital unit is known: it takes no time here")
    return tuple(notes)
