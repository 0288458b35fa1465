"""What is legal passes; every planted fault is found, and called by its name."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from crossloom.placement import (
    ForbiddenRegion,
    Operation,
    PipelineSchedule,
    Placement,
    Site,
    check_placement,
    check_schedule,
    schedule_pipeline,
)
from crossloom.spec import MacroAddress
from placed_cases import chain_placement, small_system, times_of, token_placement

BUFFER = "chip.core.buffer.capacity"


def rules(found) -> set[str]:
    return {violation.rule for violation in found}


def moved(placement: Placement, tile: int, site: Site) -> Placement:
    """With one tile elsewhere."""
    sites = list(placement.sites)
    sites[tile] = site
    return replace(placement, sites=tuple(sites))


def overlapping(placement: Placement) -> Placement:
    return moved(placement, 1, placement.sites[0])


def on_a_forbidden_region(placement: Placement) -> Placement:
    site = placement.sites[0]
    region = ForbiddenRegion(
        chip=site.address.chip, row=site.row, column=site.column, num_rows=1, num_columns=1
    )
    return replace(placement, config=placement.config.replace(forbidden=(region,)))


def beyond_the_macro(placement: Placement) -> Placement:
    site = placement.sites[0]
    return moved(placement, 0, Site(site.address, site.row + 1, site.column))


def on_no_chip(placement: Placement) -> Placement:
    return moved(placement, 0, Site(MacroAddress(99, 0, 0), 0, 0))


def without_a_site(placement: Placement) -> Placement:
    return replace(placement, sites=placement.sites[:-1])


def changed_step(placement: Placement, number: int, **changes) -> Placement:
    steps = list(placement.schedule)
    steps[number] = replace(steps[number], **changes)
    return replace(placement, schedule=tuple(steps))


def step_without_a_tile(placement: Placement) -> Placement:
    return changed_step(placement, 0, tiles=placement.schedule[0].tiles[1:])


def step_with_a_tile_twice(placement: Placement) -> Placement:
    tiles = placement.schedule[0].tiles
    return changed_step(placement, 0, tiles=(*tiles, tiles[0]))


def step_on_another_chip(placement: Placement) -> Placement:
    return changed_step(placement, 0, chip=placement.schedule[0].chip + 1)


def step_of_too_few_vectors(placement: Placement) -> Placement:
    return changed_step(placement, 0, num_vectors=7)


def step_that_waits_for_nothing(placement: Placement) -> Placement:
    return changed_step(placement, len(placement.schedule) - 1, after=())


def step_that_waits_for_a_later_one(placement: Placement) -> Placement:
    return changed_step(placement, 0, after=(len(placement.schedule) - 1,))


@pytest.mark.parametrize(
    ("plant", "rule"),
    [
        (overlapping, "overlap"),
        (on_a_forbidden_region, "forbidden region"),
        (beyond_the_macro, "outside"),
        (on_no_chip, "unknown address"),
        (without_a_site, "missing tile"),
        (step_without_a_tile, "step"),
        (step_with_a_tile_twice, "step"),
        (step_on_another_chip, "step"),
        (step_of_too_few_vectors, "vectors"),
        (step_that_waits_for_nothing, "wrong order"),
        (step_that_waits_for_a_later_one, "wrong order"),
    ],
)
def test_a_planted_fault_of_a_placement_is_found(plant: Callable[[Placement], Placement], rule: str):
    placement = chain_placement(small_system(12))
    assert check_placement(placement) == ()
    assert rule in rules(check_placement(plant(placement)))


def test_replicas_on_one_macro_are_found():
    placement = token_placement(replicas={"first": 2})
    assert check_placement(placement) == ()
    ((sites,),) = (placement.replicas["first"],)
    tile = placement.mapped.tiles_of["first"][0]
    together = replace(placement, replicas={"first": ((placement.sites[tile], *sites[1:]),)})
    assert {"replicas together", "overlap"} <= rules(check_placement(together))
    short = replace(placement, replicas={"first": (sites[1:],)})
    assert rules(check_placement(short)) == {"missing tile"}


def test_layers_written_in_the_wrong_round_are_found():
    placement = chain_placement(small_system(2), reprogram=True)
    last = placement.num_rounds - 1
    swapped = replace(placement, rounds=tuple(last - number for number in placement.rounds))
    assert "rounds" in rules(check_placement(swapped))
    assert rules(check_placement(replace(placement, rounds=placement.rounds[:-1]))) == {"rounds"}


def a_schedule() -> PipelineSchedule:
    """Three samples, two layers, two replicas of the first, portions, and a tight buffer."""
    system = small_system(4, **{BUFFER: 1000.0})
    placement = token_placement(system, replicas={"first": 2})
    return schedule_pipeline(placement, times_of(placement), 3)


def changed(schedule: PipelineSchedule, number: int, **changes) -> PipelineSchedule:
    operations = list(schedule.operations)
    operations[number] = replace(operations[number], **changes)
    return replace(schedule, operations=tuple(operations))


def number_of(schedule: PipelineSchedule, kind: str, **wanted) -> int:
    """The first operation of a kind."""
    return next(
        number
        for number, found in enumerate(schedule.operations)
        if found.kind == kind and all(getattr(found, name) == value for name, value in wanted.items())
    )


def shifted(schedule: PipelineSchedule, number: int, by: float) -> PipelineSchedule:
    found = schedule.operations[number]
    return changed(schedule, number, start=found.start + by, stop=found.stop + by)


def a_macro_does_two_things_at_once(schedule: PipelineSchedule) -> PipelineSchedule:
    first = number_of(schedule, "multiply", layer="first", sample=0)
    address = schedule.operations[first].address
    again = number_of(schedule, "multiply", layer="first", sample=1, address=address)
    one, other = schedule.operations[first], schedule.operations[again]
    return shifted(schedule, again, (one.start + one.stop) / 2 - other.start)


def a_link_does_two_things_at_once(schedule: PipelineSchedule) -> PipelineSchedule:
    first = schedule.operations[number_of(schedule, "receive", sample=0)]
    again = number_of(schedule, "receive", sample=1, chip=first.chip)
    return shifted(schedule, again, first.start - schedule.operations[again].start)


def a_link_carries_too_much(schedule: PipelineSchedule) -> PipelineSchedule:
    number = number_of(schedule, "receive")
    found = schedule.operations[number]
    return changed(schedule, number, stop=(found.start + found.stop) / 2)


def a_link_leaves_bits_out(schedule: PipelineSchedule) -> PipelineSchedule:
    number = number_of(schedule, "send")
    return changed(schedule, number, bits=schedule.operations[number].bits / 2)


def a_macro_is_too_fast(schedule: PipelineSchedule) -> PipelineSchedule:
    number = number_of(schedule, "multiply")
    found = schedule.operations[number]
    return changed(schedule, number, stop=(found.start + 9 * found.stop) / 10)


def a_converter_has_no_time(schedule: PipelineSchedule) -> PipelineSchedule:
    """Columns take turns at a converter, which the times of MVMs forgot."""
    readout = schedule.placement.system.macro.readout.replace(columns_per_adc=16)
    macro = schedule.placement.system.macro.replace(readout=readout)
    placement = replace(schedule.placement, system=schedule.placement.system.with_macro(macro))
    times = replace(schedule.times, conversion={"first": 2e-7, "second": 2e-7})
    return replace(schedule, placement=placement, times=times)


def a_layer_does_not_wait(schedule: PipelineSchedule) -> PipelineSchedule:
    """The second layer takes its inputs before the first has given any."""
    return shifted(schedule, number_of(schedule, "receive", layer="second", sample=2), -1.0)


def sums_leave_too_early(schedule: PipelineSchedule) -> PipelineSchedule:
    number = number_of(schedule, "send", layer="second", sample=2)
    return shifted(schedule, number, -2e-6)


def sums_are_finished_too_early(schedule: PipelineSchedule) -> PipelineSchedule:
    return shifted(schedule, number_of(schedule, "finish", layer="second", sample=2), -3e-6)


def an_operation_is_missing(schedule: PipelineSchedule) -> PipelineSchedule:
    number = number_of(schedule, "multiply", sample=1)
    return replace(schedule, operations=schedule.operations[:number] + schedule.operations[number + 1 :])


def an_operation_comes_twice(schedule: PipelineSchedule) -> PipelineSchedule:
    found = schedule.operations[number_of(schedule, "multiply", sample=1)]
    later = replace(found, start=found.start + 1, stop=found.stop + 1)
    return replace(schedule, operations=(*schedule.operations, later))


def a_sample_is_missing(schedule: PipelineSchedule) -> PipelineSchedule:
    return replace(schedule, operations=tuple(found for found in schedule.operations if found.sample != 1))


def vectors_are_missing(schedule: PipelineSchedule) -> PipelineSchedule:
    operations = tuple(
        replace(found, num_vectors=found.num_vectors - 1)
        if found.layer == "second" and found.step is not None
        else found
        for found in schedule.operations
    )
    return replace(schedule, operations=operations)


def a_tile_runs_where_it_is_not(schedule: PipelineSchedule) -> PipelineSchedule:
    return changed(schedule, number_of(schedule, "multiply"), address=MacroAddress(3, 0, 0))


def a_step_is_unknown(schedule: PipelineSchedule) -> PipelineSchedule:
    return changed(schedule, number_of(schedule, "send"), step=99)


def the_digital_unit_is_too_fast(schedule: PipelineSchedule) -> PipelineSchedule:
    number = number_of(schedule, "finish")
    return changed(schedule, number, stop=schedule.operations[number].start)


def a_buffer_holds_too_much(schedule: PipelineSchedule) -> PipelineSchedule:
    """The same schedule on cores with less of a buffer."""
    core = schedule.placement.system.chip.core
    core = core.replace(buffer=core.buffer.replace(capacity=300.0))
    system = schedule.placement.system
    return replace(
        schedule,
        placement=replace(schedule.placement, system=system.replace(chip=system.chip.replace(core=core))),
    )


@pytest.mark.parametrize(
    ("plant", "rule"),
    [
        (a_macro_does_two_things_at_once, "resource busy"),
        (a_link_does_two_things_at_once, "resource busy"),
        (a_link_carries_too_much, "link overflow"),
        (a_link_leaves_bits_out, "missing operation"),
        (a_macro_is_too_fast, "macro too fast"),
        (a_converter_has_no_time, "converter overflow"),
        (a_layer_does_not_wait, "wrong order"),
        (sums_leave_too_early, "wrong order"),
        (sums_are_finished_too_early, "wrong order"),
        (an_operation_is_missing, "missing operation"),
        (an_operation_comes_twice, "operation twice"),
        (a_sample_is_missing, "missing operation"),
        (vectors_are_missing, "vectors"),
        (a_tile_runs_where_it_is_not, "wrong place"),
        (a_step_is_unknown, "unknown step"),
        (the_digital_unit_is_too_fast, "digital too fast"),
        (a_buffer_holds_too_much, "buffer overflow"),
    ],
)
def test_a_planted_fault_of_a_schedule_is_found(
    plant: Callable[[PipelineSchedule], PipelineSchedule], rule: str
):
    schedule = a_schedule()
    assert check_schedule(schedule) == ()
    assert rule in rules(check_schedule(plant(schedule)))


def test_a_violation_says_what_and_where():
    found = check_placement(overlapping(chain_placement(small_system(12))))
    assert any("overlap: tile 0 and tile 1 share cells of chip" in str(violation) for violation in found)
    assert isinstance(a_schedule().operations[0], Operation)
