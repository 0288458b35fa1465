"""The verb before running: what a placement will cost."""

from pathlib import Path

import torch

from crossloom.cost.actions import LayerWork
from crossloom.cost.expected import assumed_activity, measured_activity
from crossloom.cost.loading import load_table, table_for
from crossloom.cost.making import Work, make_report
from crossloom.cost.report import CostReport, ProgrammingCost
from crossloom.cost.table import ComponentTable
from crossloom.errors import ConfigError, DataError
from crossloom.mapping import vectors_per_sample
from crossloom.placement import Placement, Rewriting, rewriting
from crossloom.programming import LayerCorrection
from crossloom.runtime import count_layer

Table = ComponentTable | str | Path


def estimate(
    placement: Placement,
    table: Table | None = None,
    inputs: torch.Tensor | tuple[torch.Tensor, ...] | None = None,
    *,
    copies_take_turns: bool = False,
) -> CostReport:
    """What a placement will cost for one sample: exact counts, cells at their targets.

    Args:
        table: a component table, the name of one, or the path of a TOML file; None for that of the system, or the
            generic one.
        inputs: samples [sample, ...] that go through the integer interpreter, so that rows are driven as they will
            be; None expects codes of the power that calibration data had.
        copies_take_turns: copies of a tile share the vectors, for throughput; else all answer all of them, and their
            answers are averaged, as `run` does.

    Raises ConfigError for what is no placement, SpecError for tables that cannot be, DataError for inputs that do not
    fit the model.
    """
    if not isinstance(placement, Placement):
        raise ConfigError(f"need a Placement, got {type(placement).__name__}; make one with compile or place")
    found = resolve_table(table, placement)
    mapped = placement.mapped
    if inputs is None:
        num_samples, vectors = 1, dict(vectors_per_sample(mapped.quantized.graph))
        activity, notes = assumed_activity(placement, vectors), (_ASSUMED,)
    else:
        batch = _as_batch(inputs)
        num_samples, notes = len(batch[0]), ()
        activity, vectors = measured_activity(placement, batch)
    layers = {
        name: LayerWork(
            placement,
            name,
            count_layer(placement, name, vectors[name], num_samples),
            activity[name],
            num_samples,
            {number: mapped.targets(mapped.tiles[number]) for number in mapped.tiles_of[name]},
            LayerCorrection(),
            1 / mapped.schemes[name].copies if copies_take_turns else 1.0,
        )
        for name in mapped.schemes
    }
    told = rewriting(placement)
    if told is not None:
        notes = (*notes, f"{told.summary()}; energies and times are without this")
    return make_report(
        Work(placement, "estimate", layers, num_samples, programming=_rewrites(told), notes=notes), found
    )


def _rewrites(told: Rewriting | None) -> ProgrammingCost | None:
    """The least that one pass through all rounds takes; None where cells are written once and for all."""
    return None if told is None else ProgrammingCost(told.num_cells, told.energy, told.time)


_ASSUMED = "rows are taken to be driven by normally distributed codes of the power that calibration data had"


def resolve_table(table: Table | None, placement: Placement) -> ComponentTable:
    """The component table that is meant. SpecError, or ConfigError, when there is none."""
    if table is None:
        found = table_for(placement.system.name)
        missing = found.name != placement.system.name
        note = f"there is no component table of {placement.system.name}: the {found.name} one is taken"
        return found.replace(notes=(note, *found.notes)) if missing else found
    if isinstance(table, ComponentTable):
        return table
    if isinstance(table, str | Path):
        return load_table(table)
    raise ConfigError(
        f"need a ComponentTable, its name or the path of a TOML file, got {type(table).__name__}; make one with "
        "load_table(name)"
    )


def _as_batch(inputs: object) -> tuple[torch.Tensor, ...]:
    batch = (inputs,) if isinstance(inputs, torch.Tensor) else inputs
    if not isinstance(batch, tuple) or not all(isinstance(part, torch.Tensor) for part in batch):
        raise DataError(f"inputs must be a tensor, or a tuple of tensors, got {type(inputs).__name__}")
    if not batch or not all(part.dim() and len(part) for part in batch):
        raise DataError("inputs are empty; give at least one sample, or None for the expected activity")
    if len({len(part) for part in batch}) > 1:
        raise DataError(f"inputs need the same number of samples, got {[len(part) for part in batch]}")
    return batch
