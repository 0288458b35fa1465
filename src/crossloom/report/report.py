"""The report: one set of facts, shown three ways."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from crossloom.errors import ConfigError, DataError
from crossloom.pipeline import Waterfall, waterfall
from crossloom.placement import Placement
from crossloom.programming import ProgrammedChips
from crossloom.report.cost.facts import gather_cost
from crossloom.report.document import Document
from crossloom.report.facts import gather_facts
from crossloom.report.tuning.facts import gather_tuning
from crossloom.runtime import RunResult

if TYPE_CHECKING:
    from rich.console import Group

    from crossloom.cost import CostReport
    from crossloom.report.html import Page
    from crossloom.search.tuning import TuningResult

Labels = torch.Tensor | Sequence[int]


class Report(Document):
    """What became of a model on its chips: where its accuracy went, how faithful each layer is, which tile lies
    where, how the cells were programmed, and how all that was made.

    Args:
        placement: where the tiles lie; the chips must hold it.
        chips: the programmed chips.
        result: what they answered.
        labels: [sample] class numbers of the result's inputs; None compares with the float network alone.
        waterfall: known already; else the inputs run once more at every station when the report is first shown.
        title: of the report; None names the system.
        cost: of `estimate` or `account`, as further sections.
        tuning: of `tune`, as further sections.

    Raises:
        ConfigError: the chips hold another placement, or the result is another model's.
        DataError: labels that are no class numbers, or not one for each sample.
    """

    def __init__(
        self,
        placement: Placement,
        chips: ProgrammedChips,
        result: RunResult,
        labels: Labels | None = None,
        *,
        waterfall: Waterfall | None = None,
        title: str | None = None,
        cost: "CostReport | None" = None,
        tuning: "TuningResult | None" = None,
    ) -> None:
        _check_kinds(placement, chips, result, waterfall)
        self._cost, self._tuning = cost, tuning
        _check_placement(placement, chips)
        _check_result(chips, result)
        self._chips, self._result, self._title = chips, result, title
        self._labels = None if labels is None else _check_labels(labels, result)
        self._given = waterfall

    @cached_property
    def waterfall(self) -> Waterfall:
        """The accuracy at every station of the way."""
        return self._given or waterfall(self._chips, self._result, self._labels)

    @cached_property
    def facts(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Everything that is known about the run, as plain data in SI units."""
        facts = gather_facts(self._chips, self._result, self.waterfall, self._labels is not None, self._title)
        facts["cost"] = None if self._cost is None else gather_cost(self._cost)
        facts["tuning"] = None if self._tuning is None else gather_tuning(self._tuning)
        return facts

    def make_page(self) -> "Page":
        """The facts as sections and pictures."""
        from crossloom.report.run_page import make_run_page

        return make_run_page(self.facts)

    def make_text(self) -> "Group":
        """The facts for a terminal."""
        from crossloom.report.terminal import make_run_text

        return make_run_text(self.facts)

    def __repr__(self) -> str:
        return f"Report({self._chips.placement.system.name}, {len(self._result.inputs[0])} samples)"


def _check_kinds(placement: object, chips: object, result: object, known: object) -> None:
    wanted = [(placement, Placement), (chips, ProgrammedChips), (result, RunResult)]
    wanted += [] if known is None else [(known, Waterfall)]
    for value, kind in wanted:
        if not isinstance(value, kind):
            got = type(value).__name__
            raise ConfigError(
                f"need Report(placement, chips, result), got a {got} where a {kind.__name__} belongs"
            )


def _check_placement(placement: Placement, chips: ProgrammedChips) -> None:
    """The same tiles at the same sites; what they are set to may differ."""
    own, held = placement, chips.placement
    blocks = [[(tile.layer, tile.block, tile.copy) for tile in each.mapped.tiles] for each in (own, held)]
    if own.sites != held.sites or blocks[0] != blocks[1]:
        raise ConfigError("these chips hold another placement; give the one that they were programmed with")


def _check_result(chips: ProgrammedChips, result: RunResult) -> None:
    names = {node.name for node in chips.placement.mapped.quantized.graph.matrices}
    if set(result.modes) != names:
        odd = sorted(set(result.modes) ^ names)[0]
        raise ConfigError(
            f"this result is another model's: only one of them has a layer {odd!r}; run these chips"
        )
    if not _is_whole(chips, result):
        raise ConfigError(
            "this result was stopped early and is no output of the model; run again without stop_at"
        )


def _is_whole(chips: ProgrammedChips, result: RunResult) -> bool:
    """Whether the result has the shape of the model's first output, as far as that is fixed."""
    graph = chips.placement.mapped.quantized.graph
    wanted = next(node.shape for node in graph.nodes if node.name == graph.outputs[0])
    got = _first(result).shape
    if wanted is None:
        return True
    pairs = zip(wanted[1:], got[1:], strict=False)
    return len(wanted) == len(got) and all(size in (None, real) for size, real in pairs)


def _first(result: RunResult) -> torch.Tensor:
    return result.outputs if isinstance(result.outputs, torch.Tensor) else result.outputs[0]


def _check_labels(labels: Labels, result: RunResult) -> torch.Tensor:
    """Class numbers as a tensor [sample]."""
    numbers, num_samples, outputs = _as_numbers(labels), len(result.inputs[0]), _first(result)
    if len(numbers) != num_samples:
        raise DataError(f"labels: need one for each of {num_samples} samples, got {len(numbers)}")
    if outputs.dim() == 2:
        wrong = numbers[(numbers < 0) | (numbers >= outputs.shape[1])]
        if len(wrong):
            raise DataError(
                f"labels: need class numbers from 0 to {outputs.shape[1] - 1}, got {int(wrong[0])}"
            )
    return numbers


def _as_numbers(labels: Labels) -> torch.Tensor:
    try:
        numbers = torch.as_tensor(labels).cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(labels).__name__
        raise DataError(f"labels: need one class number per sample, got {kind} ({error})") from None
    is_whole = not (numbers.is_floating_point() or numbers.is_complex() or numbers.dtype == torch.bool)
    if numbers.dim() != 1 or not is_whole:
        shape = list(numbers.shape)
        raise DataError(f"labels: need whole class numbers [sample], got {numbers.dtype} of shape {shape}")
    return numbers
