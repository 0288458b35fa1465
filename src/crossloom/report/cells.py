"""How the cells came out: what was asked for, what is there, and what it took."""

from collections.abc import Sequence
from typing import Any

import torch

from crossloom.mapping import MappedGraph
from crossloom.programming import ProgrammingReport, TileReport

_NUM_BINS = 96
_MAX_LEVELS = 20
_MAX_PICTURE = (192, 160)
_MOST_CELLS = 2**22  # that are looked at one by one, where tiles are not kept


def gather_cells(report: ProgrammingReport, mapped: MappedGraph) -> dict[str, Any]:
    """Histograms over all cells, S, and a picture of the worst tile; where tiles are not kept, over those of some."""
    shown = _shown(report)
    targets = torch.cat([mapped.targets(mapped.tile(tile.tile)).flatten().cpu() for tile in shown])
    errors = torch.cat([tile.error.flatten().cpu() for tile in shown]).to(targets)
    pulses = torch.cat([tile.pulses.flatten().cpu() for tile in shown])
    edges = _edges(torch.cat([targets, targets + errors]))
    return {
        "strategy": report.strategy,
        "tolerance": report.tolerance,
        "settle": report.settle,
        "num_cells": report.num_cells,
        "num_pulses": report.num_pulses,
        "num_failed": report.num_failed,
        "error_std": report.error_std,
        "conductance": {
            "edges": edges.tolist(),
            "targets": _count(targets, edges),
            "measured": _count(targets + errors, edges),
        },
        "levels": _levels(targets, errors, edges),
        "error": _error_histogram(errors),
        "pulses": _pulse_histogram(pulses),
        "worst_tile": _worst_tile(report),
    }


def _shown(report: ProgrammingReport) -> Sequence[TileReport]:
    """All tiles; or every so many-th, where each has to be made again."""
    step = 1 if report.known is None else -(-report.num_cells // _MOST_CELLS)
    return tuple(report.tiles[place] for place in range(0, len(report.tiles), max(step, 1)))


def _edges(values: torch.Tensor, num_bins: int = _NUM_BINS) -> torch.Tensor:
    """Bins of equal width that hold all values."""
    lowest, highest = values.min().item(), values.max().item()
    margin = (highest - lowest) * 1e-6 or max(abs(highest), 1e-9) * 0.05
    return torch.linspace(lowest - margin, highest + margin, num_bins + 1, dtype=torch.float64)


def _count(values: torch.Tensor, edges: torch.Tensor) -> list[int]:
    bins = torch.bucketize(values, edges[1:-1])
    return torch.bincount(bins, minlength=len(edges) - 1).tolist()


def _levels(targets: torch.Tensor, errors: torch.Tensor, edges: torch.Tensor) -> list[dict[str, Any]]:
    """What became of the cells of every target; empty where targets are too many to tell apart."""
    rounded = (targets * 1e12).round() / 1e12
    found = rounded.unique()
    if len(found) > _MAX_LEVELS:
        return []
    levels = []
    for target in found:
        own = errors[rounded == target]
        levels.append(
            {
                "target": target.item(),
                "num_cells": len(own),
                "mean_error": own.mean().item(),
                "error_std": own.std(correction=0).item(),
                "measured": _count(target + own, edges),
            }
        )
    return levels


def _error_histogram(errors: torch.Tensor) -> dict[str, Any]:
    largest = errors.abs().max()
    edges = _edges(torch.stack([-largest, largest]))
    return {"edges": edges.tolist(), "counts": _count(errors, edges)}


def _pulse_histogram(pulses: torch.Tensor) -> dict[str, Any]:
    """`first[i]` to `last[i]` pulses: as many bins of one width as can be told apart."""
    width = -(-(int(pulses.max()) + 1) // _NUM_BINS)
    counts = torch.bincount(pulses.long() // width)
    first = [number * width for number in range(len(counts))]
    return {"first": first, "last": [number + width - 1 for number in first], "counts": counts.tolist()}


def _worst_tile(report: ProgrammingReport) -> dict[str, Any]:
    """The tile of the largest error (root mean square), as a picture of its errors, S."""
    totals = report.totals
    tile = report.tiles[
        max(range(len(totals)), key=lambda place: totals[place].error_power / totals[place].num_cells)
    ]
    block = [-(-size // most) for size, most in zip(tile.error.shape, _MAX_PICTURE, strict=True)]
    return {
        "layer": tile.layer,
        "tile": tile.tile,
        "num_rows": tile.error.shape[0],
        "num_columns": tile.error.shape[1],
        "error_std": tile.error.double().square().mean().sqrt().item(),
        "num_failed": int(tile.failed.sum()),
        "rows_per_point": block[0],
        "columns_per_point": block[1],
        "errors": _picture(tile, block),
    }


def _picture(tile: TileReport, block: list[int]) -> list[list[float]]:
    """Errors [row, column] to a tenth of a nS; of every block of cells, the largest."""
    error = tile.error.double().cpu()
    missing = [-size % step for size, step in zip(error.shape, block, strict=True)]
    padded = torch.nn.functional.pad(error, (0, missing[1], 0, missing[0]))
    blocks = padded.unfold(0, block[0], block[0]).unfold(1, block[1], block[1]).flatten(2)
    worst = blocks.gather(2, blocks.abs().argmax(2, keepdim=True)).squeeze(2)
    return [[round(value, 10) for value in row] for row in worst.tolist()]
