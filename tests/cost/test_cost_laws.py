"""Laws of costs: what belongs together adds up, and what grows, grows as it should."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from small_costs_of_parts import INPUTS, round_placement, round_system, round_table

from crossloom.backends import SimulatedBackend
from crossloom.cost import (
    COMPONENTS,
    CostReport,
    PublishedCosts,
    WaldenCosts,
    account,
    estimate,
    load_table,
    peak,
    thermal_limit,
)
from crossloom.mapping import MappingConfig
from crossloom.placement import PlacementConfig
from crossloom.programming import WriteVerify, program
from crossloom.runtime import run
from crossloom.spec import load_system
from flows import MACRO, noisy_system, normal, place_graph
from small_graphs import chain_graph, diamond_graph, linear_graph


def energy_of(report: CostReport, component: str) -> float:
    return sum(part.energy for part in report.parts if part.component == component)


@pytest.fixture(scope="module")
def chain():
    """Three layers on the first chip."""
    inputs = normal(6, 30)
    graph = chain_graph(normal(20, 30), normal(16, 20, seed=1), normal(4, 16, seed=2))
    return place_graph(graph, inputs, load_system("tsinghua_c200")), inputs


def test_energies_of_parts_add_to_the_whole(chain):
    placement, inputs = chain
    report = estimate(placement, None, inputs)
    for whole in (report.energy_by_component, report.energy_by_layer):
        assert sum(whole.values()) == pytest.approx(report.energy, rel=1e-12)
    for shares in (report.share_by_component, report.share_by_layer):
        assert sum(shares.values()) == pytest.approx(1)
    low, high = report.energy_range
    assert 0 < low < report.energy < high
    assert {part.component for part in report.parts} <= set(COMPONENTS)
    assert report.power == pytest.approx(report.energy / report.interval)
    assert all(part.energy_low <= part.energy <= part.energy_high for part in report.parts)


def test_twice_the_voltage_takes_four_times_the_energy_of_cells():
    double = round_system(**{f"{MACRO}.dac.read_voltage": 0.2})
    once, twice = (
        estimate(round_placement(system), round_table(), INPUTS) for system in (round_system(), double)
    )
    assert energy_of(twice, "cells") == pytest.approx(4 * energy_of(once, "cells"))
    assert energy_of(twice, "adc") == energy_of(once, "adc")


@pytest.mark.parametrize("times", [2, 6])
def test_cells_take_energy_for_as_long_as_they_are_read(times):
    reports = [
        estimate(round_placement(mapping=MappingConfig(integration_time=time)), round_table(), INPUTS)
        for time in (5, 5 * times)
    ]
    assert energy_of(reports[1], "cells") == pytest.approx(times * energy_of(reports[0], "cells"))
    assert reports[1].latency - reports[0].latency == pytest.approx(3 * 5e-8 * (times - 1))  # 3 cycles


def test_no_input_means_no_energy_in_cells_and_drivers():
    report = estimate(round_placement(), round_table(), torch.zeros(3, 2))
    assert energy_of(report, "cells") == 0
    assert energy_of(report, "dac") == 0
    assert energy_of(report, "adc") > 0


def test_a_row_copy_takes_as_much_again():
    single, double = (
        estimate(
            round_placement(mapping=MappingConfig(integration_time=10, row_copies=copies)),
            round_table(),
            INPUTS,
        )
        for copies in (1, 2)
    )
    assert energy_of(double, "cells") == pytest.approx(2 * energy_of(single, "cells"))
    assert energy_of(double, "adc") == energy_of(single, "adc")


def test_energies_are_a_mean_over_samples(chain):
    placement, inputs = chain
    whole = estimate(placement, None, inputs)
    parts = [estimate(placement, None, inputs[index : index + 1]) for index in range(len(inputs))]
    assert whole.energy == pytest.approx(sum(part.energy for part in parts) / len(parts), rel=1e-9)


def test_a_run_in_batches_costs_the_same(chain):
    placement, inputs = chain
    chips = program(placement, SimulatedBackend(placement.system))
    whole, split = (account(chips, run(chips, inputs, batch_size=size)) for size in (6, 4))
    assert whole.parts == split.parts


def test_spans_respect_what_a_layer_needs_and_what_a_resource_can_do(chain):
    placement, inputs = chain
    report = estimate(placement, None, inputs)
    for one, other in (("layer1", "layer2"), ("layer2", "layer3")):
        ends = max(span.stop for span in report.spans if span.layer == one)
        assert min(span.start for span in report.spans if span.layer == other) >= ends
    for resource in ("link", "digital"):
        spans = sorted(
            (span for span in report.spans if span.resource == resource),
            key=lambda span: (span.chip, span.start),
        )
        for first, second in pairwise(spans):
            assert first.chip != second.chip or first.stop <= second.start + 1e-15
    assert report.latency == max(span.stop for span in report.spans)
    assert 0 < report.interval <= report.latency


def test_layers_on_one_macro_take_turns_and_on_two_work_together():
    inputs = (normal(4, 8), normal(4, 9))
    graph = diamond_graph(normal(4, 8), normal(4, 9, seed=1))
    table = round_table(timing={})  # neither links nor the digital unit take time
    fields = {f"{MACRO}.crossbar.num_rows": 64, f"{MACRO}.crossbar.num_columns": 4}
    one = place_graph(graph, inputs, round_system(**fields))
    report = estimate(one, table, inputs)
    assert len(one.macros) == 1
    left, right = (next(span for span in report.spans if span.layer == name) for name in ("left", "right"))
    assert right.start == left.stop
    two = place_graph(graph, inputs, round_system(**{**fields, f"{MACRO}.crossbar.num_rows": 18}))
    apart = estimate(two, table, inputs)
    assert len(two.macros) == 2
    assert {span.start for span in apart.spans} == {0.0}
    assert apart.latency < report.latency
    assert apart.interval < report.interval


def test_copies_on_other_macros_buy_throughput():
    placement = place_graph(
        linear_graph(normal(4, 4)),
        normal(6, 4),
        round_system(),
        MappingConfig(copies=2, integration_time=10),
        placement=PlacementConfig(keep_copies_apart=True),
    )
    table = round_table(timing={})
    averaged = estimate(placement, table)
    shared = estimate(placement, table, copies_take_turns=True)
    assert shared.throughput == pytest.approx(2 * averaged.throughput)


def test_a_slower_link_sets_the_pace_when_it_is_the_busiest():
    quick, slow = (
        estimate(round_placement(), round_table(timing={"link_bandwidth": rate}), INPUTS)
        for rate in (1e12, 1e6)
    )
    assert quick.interval == pytest.approx(330e-9)
    assert slow.interval == pytest.approx(72e-6)  # 72 bits


def test_the_system_s_own_link_comes_before_the_table_s():
    system = round_system(link={"bandwidth": 1e6})
    assert estimate(round_placement(system), round_table(), INPUTS).interval == pytest.approx(72e-6)


def test_an_overlapping_readout_hides_the_shorter_of_both():
    both = estimate(round_placement(), round_table(timing={"overlaps": True}), INPUTS)
    assert both.latency == pytest.approx(3 * 100e-9)  # 10 ns of converting fit into 100 ns of reading


def test_each_bit_doubles_a_conversion_and_none_is_below_the_thermal_limit():
    walden = WaldenCosts.parse({"figure_of_merit": {"typical": 2e-14, "low": 1e-14, "high": 5e-14}})
    assert walden.energy(8).typical == pytest.approx(2e-14 * 256)
    assert walden.energy(9).high == pytest.approx(2 * walden.energy(8).high)
    published = PublishedCosts.parse({"bits": 8, "conversion": 1e-12})
    assert published.energy(5).typical == pytest.approx(1e-12 / 8)
    # 8 k T SNR at 300 K and 20 bits: 8 * 1.38e-23 * 300 * 1.5 * 2^40 = 55 nJ, above 50 fJ * 2^20 = 52 nJ
    assert walden.energy(20) == (thermal_limit(20),) * 3
    assert thermal_limit(20) == pytest.approx(5.46e-8, rel=0.03)
    assert walden.energy(19).high > walden.energy(19).low == thermal_limit(19)


def test_energy_scales_with_node_and_supply_between_its_bounds():
    table = round_table()
    smaller = table.scaled(65e-9 / 2, table.nominal_supply / 2)
    driver, was = smaller.parts["driver"], table.parts["driver"]
    assert driver.energy.typical == pytest.approx(was.energy.typical / 8)  # s v²
    assert driver.energy.high == pytest.approx(was.energy.high / 2)  # s: supply stays
    assert driver.area.typical == pytest.approx(was.area.typical / 4)
    assert smaller.timing.digital_rate == pytest.approx(2 * table.timing.digital_rate)
    assert smaller.parts["link"] == table.parts["link"]
    back = smaller.scaled(table.node, table.nominal_supply)
    assert back.parts["driver"].energy.typical == pytest.approx(was.energy.typical)


def test_more_bits_an_input_lower_the_peak():
    system, table = load_system("neurram"), load_table("neurram")
    rates = [peak(system, table, input_bits=bits).throughput for bits in (2, 3, 4, 6, 8)]
    assert rates == sorted(rates, reverse=True)


def test_programming_is_counted_where_it_was():
    system = noisy_system(programming_error=1e-6)
    placement = place_graph(linear_graph(normal(5, 20)), normal(6, 20), system)
    chips = program(placement, SimulatedBackend(system, 3), WriteVerify(max_pulses=10))
    result = run(chips, normal(6, 20))
    plain = account(chips, result, round_table()).programming
    assert plain.num_pulses == chips.report.num_pulses
    assert plain.time == pytest.approx(chips.report.write_time)
    assert plain.energy is None  # these cells name no voltage
    cost = {
        volt: account(chips, result, round_table(cells={"write_voltage": volt})).programming
        for volt in (1, 2)
    }
    assert cost[2].energy == pytest.approx(4 * cost[1].energy)
    assert cost[1].energy > 0


def test_chips_that_time_has_passed_over_are_read_anew():
    system = noisy_system(programming_error=1e-6)
    placement = place_graph(linear_graph(normal(5, 20)), normal(6, 20), system)
    chips = program(placement, SimulatedBackend(system, 3))
    table = round_table(timing={"read_time": 1e-7})
    result = run(chips, normal(6, 20))
    fresh = energy_of(account(chips, result, table), "cells")
    empty = replace(chips, backend=SimulatedBackend(system, 3), elapsed=10.0)  # cells that nobody wrote
    assert energy_of(account(empty, result, table), "cells") != pytest.approx(fresh, rel=0.1, abs=0)
    later = replace(chips, elapsed=10.0)
    assert energy_of(account(later, result, table), "cells") == pytest.approx(fresh, rel=1e-5, abs=0)


def test_reports_come_back_from_a_file(tmp_path):
    report = estimate(round_placement(), round_table(), INPUTS)
    report.save(tmp_path / "cost")
    assert CostReport.load(tmp_path / "cost") == report


def test_the_summary_fits_a_terminal(chain):
    placement, inputs = chain
    for report in (estimate(placement), estimate(placement, "isaac", inputs), estimate(placement, "puma")):
        lines = report.summary().splitlines()
        assert max(map(len, lines)) <= 100
        assert report.summary().count("note: ") == len(report.notes)
        assert any(line.startswith("layer1") for line in lines)


def test_a_missing_voltage_is_said():
    graph, inputs = linear_graph(normal(4, 6)), normal(5, 6)
    report = estimate(place_graph(graph, inputs, load_system("neurram")), None, inputs)
    assert energy_of(report, "cells") == 0
    assert any("no read voltage" in note for note in report.notes)


def test_cells_of_no_conductance_take_nothing_and_nothing_is_missing():
    report = estimate(
        place_graph(linear_graph(torch.zeros(3, 4)), normal(5, 4), round_system()), round_table()
    )
    assert energy_of(report, "cells") == 0
    assert not any("read voltage" in note for note in report.notes)


def test_pulses_of_heavy_cycles_that_repeat_are_counted_as_often():
    # 3 cycles of weights 1, 2 and 4, converted once: 7 integrations
    plain = estimate(round_placement(), round_table(), INPUTS)
    joined = estimate(round_placement(), round_table(timing={"cycles_per_conversion": 3}), INPUTS)
    for component in ("cells", "dac", "integrator"):
        assert energy_of(joined, component) == pytest.approx(7 / 3 * energy_of(plain, component))
    assert energy_of(joined, "adc") == pytest.approx(energy_of(plain, "adc") / 3)


@pytest.mark.parametrize("num_chips", [1, 2])
def test_copies_that_take_turns_share_links_only_where_they_have_their_own(num_chips):
    placement = place_graph(
        linear_graph(normal(4, 4)),
        normal(6, 4),
        round_system(**{"num_chips": num_chips, "chip.core.num_macros": 2 // num_chips}),
        MappingConfig(copies=2, integration_time=10),
        placement=PlacementConfig(keep_copies_apart=True),
    )
    table = round_table(timing={"link_bandwidth": 1e3})  # the busiest by far
    averaged, shared = (
        estimate(placement, table, normal(6, 4), copies_take_turns=turns) for turns in (False, True)
    )
    # a sample: 16 bits in and 4 sums of 32 bits out, of every copy; copies on one chip hear the same inputs
    bits = {"averaged": {1: 16 + 256, 2: 2 * 16 + 256}[num_chips], "shared": 16 + 128}
    for name, report in (("averaged", averaged), ("shared", shared)):
        assert sum(part.count for part in report.parts if part.component == "link") == bits[name]
        assert report.interval == pytest.approx(bits[name] / num_chips / 1e3)
