"""Cells are rewritten by plan: which cells of which tiles, and nothing else."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from crossloom.artefacts import saved
from crossloom.hardware import Backend, Region, Timed
from crossloom.placement import Placement
from crossloom.programming import (
    Corrections,
    ProgrammedChips,
    ProgrammingReport,
    Strategy,
    TileReport,
    Written,
    region_of,
)
from crossloom.spec import MacroAddress
from crossloom.training.in_the_loop.selected import SelectedCells


@saved
@dataclass(frozen=True)
class PlannedRewriting:
    """Bring the `selected` cells (bool, [row, column]) of a tile's region to `targets`, S, [row, column]."""

    tile: int
    layer: str
    address: MacroAddress
    region: Region
    targets: torch.Tensor = field(repr=False)
    selected: torch.Tensor = field(repr=False)

    @property
    def num_cells(self) -> int:
        return int(self.selected.sum())


@dataclass(frozen=True)
class RewritingPlan:
    """Every cell that a rewriting will touch, and the placement that the chips hold afterwards."""

    placement: Placement = field(repr=False)
    tiles: tuple[PlannedRewriting, ...]

    @property
    def cells(self) -> Mapping[str, int]:
        """How many, by layer."""
        counts: Counter[str] = Counter()
        for tile in self.tiles:
            counts[tile.layer] += tile.num_cells
        return dict(counts)

    @property
    def num_cells(self) -> int:
        return sum(self.cells.values())

    def summary(self) -> str:
        """How many cells of which layers."""
        if not self.tiles:
            return "RewritingPlan: nothing to rewrite"
        shares = ", ".join(f"{name} {count:,}" for name, count in self.cells.items())
        return f"RewritingPlan: {self.num_cells:,} cells of {len(self.tiles)} tiles: {shares}"


def plan_rewriting(
    before: Placement, after: Placement, again: Mapping[int, torch.Tensor] | None = None
) -> RewritingPlan:
    """Cells whose targets differ between two placements of the same tiles, and those written `again` (bool, [row,
    column], by tile) to the same target. ConfigError when the tiles are others."""
    before.with_mapped(after.mapped)
    planned = []
    for number, site in enumerate(before.sites):
        tile = after.mapped.tiles[number]
        old_layer, new_layer = (part.mapped.quantized.layers[tile.layer] for part in (before, after))
        extra = (again or {}).get(number)
        if old_layer.weight is new_layer.weight and extra is None:
            continue
        targets = after.mapped.targets(tile)
        selected = targets != before.mapped.targets(before.mapped.tiles[number])
        selected = selected if extra is None else selected | extra
        if selected.any():
            region = region_of(before, number)
            planned.append(PlannedRewriting(number, tile.layer, site.address, region, targets, selected))
    return RewritingPlan(after, tuple(sorted(planned, key=lambda item: (item.address, item.tile))))


@dataclass(frozen=True)
class Rewritten:
    """What a rewriting took. pulses: int32 [row, column] by tile, of the selected cells."""

    plan: RewritingPlan
    written: Mapping[int, Written] = field(repr=False)

    @property
    def pulses(self) -> Mapping[str, int]:
        """By layer, of single cells."""
        counts: Counter[str] = Counter()
        for tile in self.plan.tiles:
            counts[tile.layer] += int(self.written[tile.tile].pulses.sum())
        return dict(counts)

    @property
    def num_reads(self) -> int:
        """Reads of single cells, as far as they were counted."""
        return sum(
            (self.written[tile.tile].num_reads or 0) * tile.region.num_cells for tile in self.plan.tiles
        )


def rewrite(plan: RewritingPlan, backend: Backend, strategy: Strategy, settle: float = 0.0) -> Rewritten:
    """Write the cells of the plan, and let them settle (s). Every other cell is left as it is."""
    written = {tile.tile: _write(tile, backend, strategy) for tile in plan.tiles}
    if plan.tiles and settle and isinstance(backend, Timed):
        backend.wait(settle)
    return Rewritten(plan, written)


def _write(tile: PlannedRewriting, backend: Backend, strategy: Strategy) -> Written:
    chips = SelectedCells(backend, tile.region, tile.targets, tile.selected)
    written = strategy.write(chips, tile.address, tile.region, tile.targets)
    selected = tile.selected.to(written.pulses.device)
    return replace(
        written,
        pulses=written.pulses * selected,
        failed=written.failed & selected,
        write_time=None if written.write_time is None else written.write_time * selected,
        energy=None if written.energy is None else written.energy * selected,
        trajectory=None,
    )


def after_rewriting(
    chips: ProgrammedChips, done: Rewritten, measured: Mapping[int, torch.Tensor], settle: float
) -> ProgrammedChips:
    """The chips as they are now, given what was `measured` (S, [row, column]) of the tiles that were rewritten."""
    placement, elapsed = done.plan.placement, chips.elapsed + (settle if done.plan.tiles else 0.0)
    report = None if chips.report is None else _updated(chips.report, done, measured)
    after = replace(chips, placement=placement, report=report, elapsed=elapsed)
    return after if chips.corrections is None else with_corrections(after, chips.corrections.layers)


def with_corrections(chips: ProgrammedChips, layers: Mapping[str, Any]) -> ProgrammedChips:
    """The chips with these layers' corrections, as found for what they hold now."""
    corrections = Corrections(chips.placement.system.name, *chips.digests, layers)
    return replace(chips, corrections=corrections if layers else None)


def _updated(
    report: ProgrammingReport, done: Rewritten, measured: Mapping[int, torch.Tensor]
) -> ProgrammingReport:
    plans = {tile.tile: tile for tile in done.plan.tiles}

    def change(tile: TileReport) -> TileReport:
        plan = plans.get(tile.tile)
        if plan is None:
            return tile
        before = Written(tile.pulses, tile.failed, tile.write_time, tile.energy, tile.num_reads)
        both = before.then(done.written[tile.tile])
        return TileReport(
            tile.layer,
            tile.tile,
            both.pulses,
            torch.where(plan.selected, both.failed, tile.failed),
            (measured[tile.tile].to(plan.targets) - plan.targets).float(),
            both.write_time,
            both.energy,
            both.num_reads,
            tile.trajectory,
        )

    return replace(report, tiles=tuple(change(tile) for tile in report.tiles))
