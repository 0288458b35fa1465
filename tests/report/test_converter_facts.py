"""A report says what the converters are worth."""

import pytest

from crossloom.circuits import effective_bits
from crossloom.programming import DirectSet
from crossloom.report.console import as_plain_text
from crossloom.report.converters import gather_converters
from crossloom.report.terminal import make_run_text
from crossloom.spec import load_system
from flows import noisy_system, normal, program_graph
from small_graphs import linear_graph


def chips_of(system):
    return program_graph(linear_graph(normal(6, 10)), normal(12, 10), system, strategy=DirectSet())


def test_effective_bits_are_those_of_the_macros_in_use():
    chips = chips_of(noisy_system(readout={"bits": 8, "adc": {"kind": "sar", "capacitor_mismatch": 0.1}}))
    facts = gather_converters(chips)
    (address,) = chips.placement.macros
    worth = effective_bits(chips.backend.transitions(address), (-128, 127))
    assert facts["kind"] == "sar"
    assert facts["effective_bits"] == pytest.approx(worth.mean().item())
    assert facts["least_effective_bits"] == worth.min().item() < facts["effective_bits"] < 8


def test_a_converter_whose_levels_are_in_place_is_worth_its_bits():
    facts = gather_converters(chips_of(noisy_system(readout={"bits": 6, "offset": 1.0})))
    assert (facts["bits"], facts["effective_bits"], facts["least_effective_bits"]) == (6, 6.0, 6.0)
    assert gather_converters(chips_of(load_system("ideal"))) is None


def test_the_report_shows_it(report):
    assert "4 bits, 4.0 effective (least 4.0)" in report.summary()
    facts = report.to_json()
    assert "ideal: exact values" in as_plain_text(make_run_text(facts | {"converters": None}))
    unknown = {"kind": "sar", "bits": 8, "effective_bits": None, "least_effective_bits": None}
    assert "sar, 8 bits, not known" in as_plain_text(make_run_text(facts | {"converters": unknown}))
