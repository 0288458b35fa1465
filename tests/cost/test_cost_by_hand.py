"""One small layer, added up by hand: every number is in the comments."""

import pytest
import torch
from small_costs_of_parts import INPUTS, round_placement, round_system, round_table

from crossloom.backends import SimulatedBackend
from crossloom.cost import account, estimate
from crossloom.programming import program
from crossloom.runtime import run


@pytest.fixture(scope="module")
def report():
    return estimate(round_placement(), round_table(), INPUTS)


def parts_of(report, layer="layer"):
    return {part.component: part for part in report.parts if part.layer == layer}


def test_cells_take_the_square_of_the_voltage_times_conductance_and_time(report):
    # Codes (7, -2) and (1, 0) as bits: 7 has three pulses, 2 has one, 1 has one. So over two samples the rows of the
    # first input are driven 3 + 1 = 4 times and those of the second once; each input has two rows (a pair).
    # Conductances: input 0 holds 7 and 1, in its upper row: 8 levels. Input 1 holds -2 below and 3 above: 5 levels.
    # One level is 1 uS, a pulse is 0.1 V for 10 * 10 ns. So 0.01 V2 * 1e-7 s * (8 * 4 + 5 * 1) uS = 3.7e-14 J, half of
    # it for one sample. Cells that met a pulse: 2 rows * 2 columns * 5 pulses / 2 samples = 10.
    cells = parts_of(report)["cells"]
    assert cells.energy == pytest.approx(1.85e-14, rel=1e-9)
    assert cells.count == 10


def test_every_other_part_is_its_count_times_its_energy(report):
    parts = parts_of(report)
    # one vector a sample, 3 cycles, 2 columns: 6 conversions of 1 pJ, 6 sums of 10 fJ, 6 times 1 pF * (1 V)2
    assert (parts["adc"].count, parts["adc"].energy) == (6, pytest.approx(6e-12))
    assert (parts["shift_and_add"].count, parts["shift_and_add"].energy) == (6, pytest.approx(6e-14))
    assert (parts["integrator"].count, parts["integrator"].energy) == (6, pytest.approx(6e-12))
    # 5 pulses on 2 rows each over 2 samples: 5 a sample of 100 fJ (50 to 300 by its range)
    dac = parts["dac"]
    assert (dac.count, dac.energy) == (5, pytest.approx(5e-13))
    assert (dac.energy_low, dac.energy_high) == (pytest.approx(2.5e-13), pytest.approx(1.5e-12))
    # in: 2 codes of 4 bits, 1 fJ each; out: 2 sums of 32 bits, 2 fJ each
    assert (parts["buffer"].count, parts["buffer"].energy) == (72, pytest.approx(8e-15 + 128e-15))
    # link: the same 8 bits in and 64 out, 1 pJ each
    assert (parts["link"].count, parts["link"].energy) == (72, pytest.approx(7.2e-11))
    # the digital unit scales and adds 2 sums (2 operations each) and adds 2 biases
    assert (parts["digital"].count, parts["digital"].energy) == (6, pytest.approx(6e-12))


def test_the_time_of_a_sample_is_the_sum_of_its_stages(report):
    # 8 bits in: 8 ns; 3 cycles of 100 ns and of 2 columns on one converter at 5 ns: 330 ns; 64 bits out: 64 ns;
    # 6 operations: 6 ns
    assert [(span.resource, round((span.stop - span.start) * 1e9, 6)) for span in report.spans] == [
        ("link", 8),
        ("macro", 330),
        ("link", 64),
        ("digital", 6),
    ]
    assert report.latency == pytest.approx(408e-9)
    assert report.interval == pytest.approx(330e-9)  # the macro is the busiest
    assert parts_of(report, "")["leakage"].energy == pytest.approx(1e-3 * 330e-9)


def test_area_is_that_of_the_chips_in_use(report):
    areas = {item.component: item.area for item in report.areas}
    assert areas["cells"] == pytest.approx(2 * 32 * 1e-12)
    assert areas["dac"] == pytest.approx(2 * 8 * 1e-11)
    assert areas["adc"] == pytest.approx(2 * 2 * 1e-9)  # 4 columns, two to a converter
    assert areas["leakage"] == pytest.approx(1e-8)
    assert report.area == pytest.approx(sum(areas.values()))


def test_the_peak_is_what_full_macros_do(report):
    # 4 inputs (8 rows in pairs) by 4 outputs on each of 2 macros, 32 operations each. 4-bit inputs without a sign here
    # (the system names none): 4 cycles of 100 ns and 2 * 5 ns.
    assert report.peak.throughput == pytest.approx(2 * 32 / 440e-9)
    assert report.num_operations == 2 * 4


def test_a_run_costs_what_was_estimated():
    placement = round_placement()
    chips = program(placement, SimulatedBackend(round_system()))
    counted = account(chips, run(chips, INPUTS), round_table())
    expected = estimate(placement, round_table(), INPUTS)
    assert counted.parts == expected.parts
    assert counted.spans == expected.spans
    assert counted.programming is not None
    assert expected.programming is None


def test_cells_that_missed_their_targets_take_what_they_are():
    placement = round_placement()
    chips = program(placement, SimulatedBackend(round_system()))
    result = run(chips, INPUTS)
    tile = chips.report.tiles[0]
    off = torch.zeros_like(tile.error)
    off[0, 0] = 1e-6  # the first row was driven 4 times
    object.__setattr__(tile, "error", off)
    counted = account(chips, result, round_table())
    assert parts_of(counted)["cells"].energy == pytest.approx(0.01 * 1e-7 * 41e-6 / 2, rel=1e-6)
