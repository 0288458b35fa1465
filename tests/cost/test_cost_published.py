"""Modelled peaks beside published ones, built up from their components."""

import re
from pathlib import Path

import pytest
from published_points import published_points, puma_unit, table_of

from crossloom.cost import Amount, load_table, peak
from crossloom.spec import load_system

PAGE = Path(__file__).parents[2] / "docs" / "costs.md"
POINTS = published_points()


def test_the_table_in_the_docs_is_what_the_tables_give():
    text = PAGE.read_text("utf-8")
    (shown,) = re.findall(r"^\| system \| point \|.*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    assert shown == table_of(POINTS), f"replace the table by\n{table_of(POINTS)}"


@pytest.mark.parametrize("system", ["isaac", "neurram"])
def test_at_least_half_of_the_published_points_are_met_within_20_percent(system):
    # TOPS, TOPS/W and TOPS/mm² only: their parts (W, mm²) would count twice
    kinds = ("TOPS", "TOPS/W", "TOPS/mm²")
    counted = [
        item for item in POINTS if item.system == system and item.figure in kinds and not item.is_derived
    ]
    near = [item for item in counted if abs(item.deviation) <= 0.2]
    assert len(counted) >= 3
    assert len(near) >= len(counted) / 2, table_of(counted)


def test_a_puma_product_takes_about_what_was_published():
    (energy,) = [item for item in POINTS if item.figure == "nJ"]
    assert abs(energy.deviation) <= 0.2


def test_the_peak_of_isaac_is_built_up_from_its_parts():
    system, table = load_system("isaac"), load_table("isaac")
    best = peak(system, table)
    # 2048 products of an input and a 16-bit weight on every crossbar, 16 cycles of 100 ns, 16,128 crossbars
    assert best.throughput == pytest.approx(2 * 2048 * 16128 / 1.6e-6)
    # twice the energy of a conversion adds the power of all converters once more: 16,128 * 128 / 100 ns * 1.56 pJ
    adc = table.adc.replace(conversion=Amount(typical=2 * 1.5625e-12))
    more = peak(system, table.replace(adc=adc))
    assert more.power - best.power == pytest.approx(16128 * 128 / 1e-7 * 1.5625e-12)


def test_a_product_of_neurram_is_its_integrations_and_its_steps():
    system, table = load_system("neurram"), load_table("neurram")
    # 5-bit outputs of 3-bit inputs: two bits, repeated 1 + 2 times at 0.27 us, then 1 + 5 steps of 0.3 us
    best = peak(system, table, output_bits=5, input_bits=3)
    assert best.throughput == pytest.approx(48 * 2 * 128 * 256 / (3 * 0.27e-6 + 6 * 0.3e-6))
    # 6-bit inputs: three bits (7 integrations) and two (3), each converted on its own
    two_phases = peak(system, table, output_bits=8, input_bits=6)
    assert two_phases.throughput == pytest.approx(48 * 2 * 128 * 256 / (10 * 0.27e-6 + 2 * 9 * 0.3e-6))


def test_a_unit_of_puma_is_eight_crossbars():
    unit = puma_unit()
    assert unit.num_macros == 8
    assert unit.macro.dac.cycle_time is None
