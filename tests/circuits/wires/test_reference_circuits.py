"""Agreement with circuits that other programs solved: a sparse nodal solver, ngspice, Qucs."""

import pytest
import torch

from circuits.wires.reference_cases import qucs_cases, wires_case, worst
from crossloom.circuits import Crossbar, make_curve
from crossloom.circuits.wires import effective_conductance, segments
from crossloom.circuits.wires.newton import solve
from crossloom.spec import PolynomialIvSpec, Wires

SMALL = ["a_8x8", "b_32x24", "c_24x40", "d_64x64"]
QUCS = [
    f"{size}-{letter}-{number}"
    for size, letters in (("1x1", "abcde"), ("5x4", "abcdef"))
    for letter in letters
    for number in (1, 2)
]


@pytest.mark.parametrize("name", [*SMALL, "e_128x100", pytest.param("f_256x256", marks=pytest.mark.slow)])
def test_currents_agree_with_a_sparse_direct_solve(name):
    case, wires = wires_case(name)
    currents = case["voltages"] @ effective_conductance(case["conductance"], wires)
    assert worst(currents, case["currents"]) < 1e-9


@pytest.mark.parametrize("name", SMALL)
def test_voltages_of_all_nodes_agree_with_a_sparse_direct_solve(name):
    case, wires = wires_case(name)
    solution = Crossbar(case["conductance"], wires).solve(case["voltages"])
    assert worst(solution.word_line, case["word_line_voltage"]) < 1e-9
    assert worst(solution.bit_line, case["bit_line_voltage"]) < 1e-9
    assert worst(solution.currents, case["currents"]) < 1e-9


def test_cubic_cells_agree_with_ngspice():
    case, wires = wires_case("nonlinear_12x10")
    curve = make_curve(PolynomialIvSpec.cubic(float(case["cubic_voltage"])))
    ends = segments(wires, *case["conductance"].shape)
    solution = solve(curve, case["conductance"], ends, case["voltages"])
    assert worst(solution.currents, case["currents"]) < 1e-7
    assert solution.residual.max() <= 1e-10
    ohmic = case["voltages"] @ effective_conductance(case["conductance"], wires)
    assert worst(ohmic, case["currents"]) > 0.1  # or else nothing has been tested


@pytest.mark.parametrize("name", QUCS)
def test_every_quantity_agrees_with_qucs(name):
    case = {
        key: torch.tensor(_numbers(value), dtype=torch.float64) for key, value in qucs_cases()[name].items()
    }
    wires = Wires(float(case["word_line"]), float(case["bit_line"]))
    solution = Crossbar(1 / case["resistance"], wires).solve(case["voltages"].T.contiguous())
    through = solution.cell_current[0]
    found = {
        "output_current": solution.currents,
        "cell_current": through,
        "word_line_current": through.flip(1).cumsum(1).flip(1),
        "bit_line_current": through.cumsum(0),
        "word_line_voltage": solution.word_line[0],
        "bit_line_voltage": solution.bit_line[0],
    }
    for quantity, values in found.items():
        expected = case[quantity]
        assert (values - expected).abs().max() <= 1e-9 * expected.abs().max(), quantity


def test_all_cases_of_qucs_are_tested():
    assert sorted(qucs_cases()) == sorted(QUCS)


def test_one_cell_between_two_wires_is_three_resistors_in_series():
    """Qucs case 1x1-b-2: 10 ohm between 1 and 2 ohm at 1 V."""
    solution = Crossbar(torch.tensor([[0.1]], dtype=torch.float64), Wires(1.0, 2.0)).solve(
        torch.ones(1, 1, dtype=torch.float64)
    )
    assert solution.currents.item() == pytest.approx(0.07692307692307693, rel=1e-12)
    assert solution.word_line.item() == pytest.approx(0.9230769230769231, rel=1e-12)
    assert solution.bit_line.item() == pytest.approx(0.15384615384615385, rel=1e-12)


def test_a_crossbar_of_twenty_cells_answers_as_qucs_says():
    """Qucs case 5x4-b-2: 10, 20, ..., 200 ohm, word-line segments of 1 ohm, bit-line segments of 2 ohm."""
    resistance = torch.arange(10.0, 210.0, 10.0, dtype=torch.float64).reshape(5, 4)
    voltages = torch.tensor([3.0, 2.0, -1.0, 2.0, 3.0], dtype=torch.float64)
    expected = torch.tensor(
        [0.15274675287437675, 0.10872370543516569, 0.08719952841122902, 0.07446608444256336],
        dtype=torch.float64,
    )
    assert worst(Crossbar(1 / resistance, Wires(1.0, 2.0)) @ voltages, expected) < 1e-12


def _numbers(value):
    """Lists in which infinity is written out."""
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return float(value)
