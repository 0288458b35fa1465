"""All that a report says, gathered once as plain data in SI units; every view shows the same."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from crossloom import __version__
from crossloom.backends import SimulatedBackend
from crossloom.mapping import coverage, share_in_memory
from crossloom.pipeline import Waterfall
from crossloom.placement import Placement
from crossloom.programming import ProgrammedChips
from crossloom.report.cells import gather_cells
from crossloom.report.converters import gather_converters
from crossloom.report.floor_plan import gather_macros
from crossloom.report.layers import gather_layers
from crossloom.report.notes import gather_notes
from crossloom.runtime import RunResult

Facts = dict[str, Any]
"""Plain data: dicts, lists, strings, numbers, booleans and None."""


def gather_facts(
    chips: ProgrammedChips, result: RunResult, waterfall: Waterfall, has_labels: bool, title: str | None
) -> Facts:
    """Everything that is known about a run, and how it came to be."""
    placement = chips.placement
    rows = coverage(placement.mapped)
    facts: Facts = {
        "kind": "Report",
        "schema": 1,
        "title": title or f"A model on {placement.system.name}",
        "system": _system(placement),
        "model": _model(placement),
        "placement": _placement(placement),
        "converters": gather_converters(chips),
        "waterfall": _waterfall(waterfall, result),
        "layers": gather_layers(chips, result, rows),
        "coverage": {
            "share_in_memory": share_in_memory(rows),
            "macs": sum(row.macs or 0 for row in rows),
            "nodes": [asdict(row) for row in rows],
        },
        "macros": gather_macros(placement),
        "programming": None if chips.report is None else gather_cells(chips.report, placement.mapped),
        "schedule": [asdict(step) for step in placement.schedule],
        "counts": {
            "samples": len(result.inputs[0]),
            "total": asdict(result.total),
            "layers": {name: asdict(counts) for name, counts in result.counts.items()},
        },
        "origin": _origin(chips, result),
    }
    return facts | {"notes": gather_notes(facts, waterfall.notes, has_labels)}


def _system(placement: Placement) -> Facts:
    system = placement.system
    crossbar = system.macro.crossbar
    integrator = system.macro.readout.integrator
    return {
        "name": system.name,
        "description": system.description,
        "num_chips": system.num_chips,
        "num_macros": system.num_macros,
        "num_cores": system.chip.num_cores,
        "macros_per_core": system.chip.core.num_macros,
        "num_rows": crossbar.num_rows,
        "num_columns": crossbar.num_columns,
        "g_min": crossbar.cell.g_min,
        "g_max": crossbar.cell.g_max,
        "adc_bits": system.macro.readout.bits,
        "integration_step": integrator.time_step if integrator else None,
    }


def _model(placement: Placement) -> Facts:
    mapped = placement.mapped
    layers = mapped.quantized.layers
    return {
        "num_layers": len(layers),
        "num_mapped": len(mapped.schemes),
        "num_weights": sum(layer.weight.numel() for layer in layers.values()),
        "num_tiles": len(mapped.tiles),
        "num_cells": mapped.num_cells,
    }


def _placement(placement: Placement) -> Facts:
    return {
        "utilization": placement.utilization,
        "area_bound": placement.area_bound,
        "num_macros": len(placement.macros),
        "num_chips": len({address.chip for address in placement.macros}),
        "num_steps": len(placement.schedule),
        "bytes_per_sample": sum(step.bytes_in + step.bytes_out for step in placement.schedule),
    }


def _waterfall(waterfall: Waterfall, result: RunResult) -> Facts:
    """The stations, and which of their figures tells most: accuracy, agreement with float, or SNR."""
    last = waterfall.stations[-1]
    measure = (
        "accuracy" if last.accuracy is not None else "agreement" if last.agreement is not None else "snr_db"
    )
    outputs = result.outputs if isinstance(result.outputs, torch.Tensor) else result.outputs[0]
    stations = [asdict(station) for station in waterfall.stations]
    for station, drop in zip(stations, _drops([station[measure] for station in stations]), strict=True):
        station["drop"] = drop
    return {
        "measure": measure,
        "num_samples": waterfall.num_samples,
        "num_classes": outputs.shape[1] if measure != "snr_db" else None,
        "stations": stations,
    }


def _drops(figures: Sequence[float | None]) -> list[float | None]:
    """What every step takes from the figure before it; None where one of the two is not known."""
    pairs = zip([None, *figures], figures, strict=False)
    return [None if before is None or after is None else before - after for before, after in pairs]


def _origin(chips: ProgrammedChips, result: RunResult) -> Facts:
    placement = chips.placement
    backend = chips.backend
    return {
        "crossloom": __version__,
        "torch": str(torch.__version__),
        "backend": type(backend).__name__,
        "seed_of_chips": backend.seed if isinstance(backend, SimulatedBackend) else None,
        "seed_of_run": result.seed,
        "quant": placement.mapped.quantized.config.model_dump(mode="json"),
        "mapping": placement.mapped.config.model_dump(mode="json"),
        "placement": placement.config.model_dump(mode="json"),
        "system": placement.system.model_dump(mode="json", exclude={"sources"}),
        "sources": dict(placement.system.sources),
    }
