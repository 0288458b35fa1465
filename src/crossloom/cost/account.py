"""The verb after running: what a run cost."""

from collections.abc import Sequence

import torch

from crossloom.cost.actions import LayerWork
from crossloom.cost.estimate import Table, resolve_table
from crossloom.cost.making import Work, make_report
from crossloom.cost.report import CostReport, ProgrammingCost
from crossloom.cost.table import ComponentTable
from crossloom.errors import ConfigError, DataError
from crossloom.placement import Placement
from crossloom.programming import LayerCorrection, ProgrammedChips, region_of
from crossloom.runtime import RunResult, count_layer


def account(chips: ProgrammedChips, result: RunResult, table: Table | None = None) -> CostReport:
    """What a run of these chips cost per sample: the actions that it counted, and the conductances that are there.

    Cells are as they were measured after programming, or read once more where time has passed since, or somebody else
    programmed them. `table` is as for `estimate`.

    Raises ConfigError for what are no chips or no result, DataError for a result that is not of these chips.
    """
    if not isinstance(chips, ProgrammedChips):
        raise ConfigError(f"need ProgrammedChips, got {type(chips).__name__}; program a placement first")
    if not isinstance(result, RunResult):
        raise ConfigError(f"need a RunResult, got {type(result).__name__}; run the chips first")
    placement = chips.placement
    _check_fits(chips, result)
    found = resolve_table(table, placement)
    corrections = {} if chips.corrections is None else chips.corrections.layers
    num_samples = len(result.inputs[0])
    layers = {
        name: LayerWork(
            placement,
            name,
            counts,
            result.activity[name],
            num_samples,
            conductances(chips, name),
            corrections.get(name, LayerCorrection()),
        )
        for name, counts in result.counts.items()
    }
    digital = tuple(name for name in placement.mapped.schemes if name not in layers)
    return make_report(
        Work(placement, "account", layers, num_samples, digital, programming_cost(chips, found)), found
    )


def conductances(chips: ProgrammedChips, layer: str) -> dict[int, torch.Tensor]:
    """S, [row, column], of every tile of a layer, by its number; the mean of its replicas, which share the vectors."""
    placement = chips.placement
    found = _every_conductance(chips, placement.numbers_of(layer))
    own, step = placement.mapped.tiles_of[layer], len(placement.mapped.tiles)
    if len(found) == len(own):
        return found
    return {
        number: torch.stack([cells for other, cells in found.items() if other % step == number]).mean(0)
        for number in own
    }


def _every_conductance(chips: ProgrammedChips, numbers: Sequence[int]) -> dict[int, torch.Tensor]:
    """S, [row, column], of every one of these tiles and replicas."""
    placement, report = chips.placement, chips.report
    mapped = placement.mapped
    if report is not None and (placement.rounds or not chips.elapsed):
        tiles = report.of(numbers)
        return {number: mapped.targets(mapped.tile(number)) + tiles[number].error for number in numbers}
    backend = chips.backend
    return {
        number: backend.read(placement.site_of(number).address, region_of(placement, number))
        for number in numbers
    }


def programming_cost(chips: ProgrammedChips, table: ComponentTable) -> ProgrammingCost | None:
    """What writing these chips took; None where somebody else did.

    Where the chips know no voltage and the table does, the energy is V² g t of every cell with the conductance that it
    ended at, over the time of its pulses.
    """
    report, volt = chips.report, table.cells.write_voltage
    if report is None:
        return None
    energy = report.energy
    if energy is None and volt is not None and report.write_time is not None:
        mapped = chips.placement.mapped
        energy = sum(
            volt**2
            * ((mapped.targets(mapped.tile(tile.tile)) + tile.error) * tile.write_time.cpu()).sum().item()
            for tile in report.tiles
            if tile.write_time is not None
        )
    return ProgrammingCost(report.num_pulses, energy, report.write_time)


def _check_fits(chips: ProgrammedChips, result: RunResult) -> None:
    placement = chips.placement
    known = placement.mapped.schemes
    foreign = [name for name in result.counts if name not in known]
    if foreign:
        raise DataError(
            f"this result has layers that these chips do not hold ({', '.join(foreign[:3])}); give the result of "
            "these chips"
        )
    silent = [name for name in result.counts if name not in result.activity]
    if silent:
        raise DataError(
            "this result kept no activity of its rows (it is older than that, or was told not to); run again with "
            "count_activity=True"
        )
    other = [name for name in result.counts if not _counts_fit(placement, result, name)]
    if other:
        raise DataError(
            f"this result counted {', '.join(other[:3])} in other tiles or with other inputs than these chips have; "
            "give the result of these chips"
        )
    missing = [name for name in known if result.modes.get(name) == "chip" and name not in result.counts]
    if missing:
        raise DataError(
            f"this run stopped before {', '.join(missing[:3])}, so that it tells no sample's cost; run again without "
            "stop_at"
        )


def _counts_fit(placement: Placement, result: RunResult, name: str) -> bool:
    """Whether so many vectors make this placement's layer do what was counted, and its activity is of these inputs."""
    mapped, counts = placement.mapped, result.counts[name]
    vectors = counts.num_mvms // len(mapped.tiles_of[name])
    num_inputs = max(mapped.tiles[number].input_stop for number in mapped.tiles_of[name])
    return (
        counts == count_layer(placement, name, vectors, len(result.inputs[0]))
        and len(result.activity[name].squares) == num_inputs
    )
