"""One row per matrix operation of the model: where it ran, how it lies in cells, how faithful it was."""

from collections.abc import Sequence
from typing import Any

from crossloom.graph import Matrix
from crossloom.mapping import MappedGraph, NodeCoverage, Scheme
from crossloom.placement import Placement
from crossloom.programming import ProgrammedChips
from crossloom.runtime import LayerQuality, RunResult

Row = dict[str, Any]


def gather_layers(chips: ProgrammedChips, result: RunResult, rows: Sequence[NodeCoverage]) -> list[Row]:
    """A row for every matrix operation, in the order of the graph; what is not known of it is None."""
    mapped = chips.placement.mapped
    macs = {row.name: row.macs or 0 for row in rows}
    total = max(sum(macs.values()), 1)
    quality = {item.layer: item for item in result.quality}
    layers = []
    for node in mapped.quantized.graph.matrices:
        row = {
            "name": node.name,
            "runs": result.modes[node.name],
            "is_mapped": node.name in mapped.schemes,
            "macs": macs[node.name],
            "macs_share": macs[node.name] / total,
        }
        row |= (
            _operation(mapped, node) | _cells(chips.placement, node.name) | _quality(quality.get(node.name))
        )
        layers.append(row | _programming(chips, node.name))
    return layers


def _operation(mapped: MappedGraph, node: Matrix) -> Row:
    layer, window = mapped.quantized.layers[node.name], node.window
    return {
        "operation": f"conv{window.num_axes}d" if window else "linear",
        "kernel": list(window.kernel) if window else None,
        "stride": list(window.stride) if window else None,
        "groups": node.groups,
        "activation": node.activation,
        "num_inputs": layer.weight.shape[1] * node.groups,
        "num_outputs": layer.weight.shape[0],
        "num_weights": layer.weight.numel(),
        "weight_bits": layer.weight_bits,
        "input_bits": layer.input_bits,
        "input_is_signed": layer.input_is_signed,
    }


def _cells(placement: Placement, name: str) -> Row:
    mapped = placement.mapped
    numbers = mapped.tiles_of.get(name, ())
    times = [mapped.tiles[number].integration_time for number in numbers]
    return {
        "num_tiles": len(numbers),
        "num_cells": sum(mapped.tiles[number].num_cells for number in numbers),
        "chips": sorted({placement.sites[number].address.chip for number in numbers}),
        "integration_time": [min(times), max(times)] if times else None,
    } | _scheme(mapped.schemes.get(name))


def _scheme(scheme: Scheme | None) -> Row:
    if scheme is None:
        return dict.fromkeys(("encoding", "slicing", "bits_per_cell", "input_mode", "copies", "row_copies"))
    return {
        "encoding": scheme.encoding.kind,
        "slicing": scheme.slicing.kind,
        "bits_per_cell": getattr(scheme.slicing, "bits_per_cell", None),
        "input_mode": scheme.input_mode.kind,
        "copies": scheme.copies,
        "row_copies": scheme.row_copies,
    }


def _quality(quality: LayerQuality | None) -> Row:
    """`is_exact`: measured, and without any error, so that there is no ratio; without a signal there is none either."""
    if quality is None:
        return {"is_exact": None, "snr_db": None, "clipping_rate": None, "adc_use": None}
    return {
        "is_exact": quality.error_power == 0,
        "snr_db": quality.snr_db if quality.signal_power else None,
        "clipping_rate": quality.clipping_rate,
        "adc_use": quality.adc_use,
    }


def _programming(chips: ProgrammedChips, name: str) -> Row:
    tiles = [tile for tile in chips.report.totals if tile.layer == name] if chips.report else []
    num_cells = sum(tile.num_cells for tile in tiles)
    if not num_cells:
        return {"programming_error": None, "num_failed": None, "pulses_per_cell": None}
    return {
        "programming_error": (sum(tile.error_power for tile in tiles) / num_cells) ** 0.5,
        "num_failed": sum(tile.num_failed for tile in tiles),
        "pulses_per_cell": sum(tile.num_pulses for tile in tiles) / num_cells,
    }
