"""Two stages (PTSS): the mapping in a simulator of nominal chips, then the registers on the chips themselves."""

from dataclasses import replace
from itertools import accumulate

from crossloom.hardware import Copyable
from crossloom.programming import ProgrammedChips, Strategy, program
from crossloom.search.libraries import import_library
from crossloom.search.tuning.config import TwoStages
from crossloom.search.tuning.layer_by_layer import tune_layer_by_layer
from crossloom.search.tuning.mapping_stage import MappingChoice, choose_mapping
from crossloom.search.tuning.reference import make_reference
from crossloom.search.tuning.registers import check_voltages_are_known
from crossloom.search.tuning.result import Scores, TuningResult
from crossloom.search.tuning.samples import Data, split
from crossloom.search.tuning.scoring import Spending, gains, make_corrections, make_judge, mvms_per_sample


def tune_in_two_stages(
    chips: ProgrammedChips,
    data: Data,
    config: TwoStages,
    strategy: Strategy | None = None,
    mapping: MappingChoice | None = None,
) -> TuningResult:
    """Choose a mapping, program the chips with it by `strategy`, and tune their registers.

    The chips stay as they were where outputs are no better for it, if they can be copied. MissingDependencyError
    without scipy.

    mapping: that of stage 1, where it is known already: it depends on the placement and its system, but not on the
    chips, so that many sets of chips need it once.
    """
    layers = config.layers
    _check(chips, config)
    tuned, held = split(chips, data, layers.num_samples, layers.held_out)
    reference = make_reference(chips, tuned, layers.reference)
    spending = Spending(sum(mvms_per_sample(chips).values()) * len(tuned))
    judge = make_judge(held, reference, spending, layers.seed)
    before = judge(chips)
    spending.note(before.error)
    mapping = mapping or choose_mapping(chips.placement, tuned, reference, config)
    spending.num_mvms += mapping.num_mvms
    placed = program(mapping.placement, chips.backend, strategy)
    second = tune_layer_by_layer(placed, data, layers, reference)
    return _joined(spending, before, mapping, second, chips)


def plan_mapping(chips: ProgrammedChips, data: Data, config: TwoStages) -> MappingChoice:
    """Stage 1 alone: nothing on the chips is touched."""
    _check(chips, config)
    tuned, _ = split(chips, data, config.layers.num_samples, config.layers.held_out)
    reference = make_reference(chips, tuned, config.layers.reference)
    return choose_mapping(chips.placement, tuned, reference, config)


def _check(chips: ProgrammedChips, config: TwoStages) -> None:
    """What would be missed only when much is done already."""
    import_library("scipy.optimize")
    if config.layers.read_voltages:
        check_voltages_are_known(chips.placement.system)


def _joined(
    spending: Spending, before: Scores, mapping: MappingChoice, second: TuningResult, chips: ProgrammedChips
) -> TuningResult:
    """Both stages as one result; the chips as they were if outputs are no better for it, where a copy was written."""
    rate = max(spending.mvms_per_evaluation, 1)
    second_rate = second.num_mvms / max(second.num_evaluations, 1e-9) / rate
    first = spending.num_evaluations
    errors = [
        *spending.trajectory,
        *((first + spent * second_rate, error) for spent, error in second.trajectory),
    ]
    least = accumulate((error for _, error in errors), min)
    num_mvms = spending.num_mvms + second.num_mvms
    result = replace(
        second,
        method="two stages",
        before=before,
        worth={**gains(("mapping",), (before, second.before)), **second.worth},
        trajectory=tuple((spent, error) for (spent, _), error in zip(errors, least, strict=True)),
        num_evaluations=num_mvms / rate,
        num_mvms=num_mvms,
        notes=(*mapping.notes, *second.notes),
        values={name: str(option) for name, option in mapping.options.items()},
    )
    return result if second.after.error < before.error else _refused(result, chips)


def _refused(result: TuningResult, chips: ProgrammedChips) -> TuningResult:
    """The chips as they were, if they still are, and what was not taken is worth nothing."""
    note = "the new mapping is no better on the samples held out"
    if not isinstance(chips.backend, Copyable):
        return replace(result, notes=(*result.notes, f"{note}; program the one before again to have it back"))
    return replace(
        result,
        after=result.before,
        layers=(),
        worth=dict.fromkeys(result.worth, 0.0),
        values={},
        found=make_corrections(chips, {} if chips.corrections is None else dict(chips.corrections.layers)),
        chips=chips,
        notes=(*result.notes, f"{note}: these are the chips as they were"),
    )
