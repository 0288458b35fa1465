"""Lines at given voltages and lines left floating: passive arrays with sneak paths and half-selected cells."""

import numpy as np
import pytest
import torch

from crossloom.circuits import make_curve
from crossloom.circuits.wires import segments
from crossloom.circuits.wires.bias import FLOATING, GROUNDED, HALF, THIRD, Bias, select
from crossloom.circuits.wires.newton import solve
from crossloom.errors import ConfigError
from crossloom.spec import PolynomialIvSpec, Wires
from crossloom.testing.nodal import solve_nodal

OHMIC = make_curve(None)
CUBIC = make_curve(PolynomialIvSpec.cubic(0.4))


def cubic(g, v):
    return g * v * (1 + (v / 0.4) ** 2), g * (1 + 3 * (v / 0.4) ** 2)


def conductances(num_rows, num_columns):
    generator = torch.Generator().manual_seed(5)
    return 1e-6 + 99e-6 * torch.rand(num_rows, num_columns, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("unselected", "row", "column", "neither"),
    [(HALF, 0.5, 0.5, 0.0), (THIRD, 1 / 3, 1 / 3, -1 / 3), (GROUNDED, 1.0, 0.0, 0.0)],
)
def test_a_write_scheme_without_wires_splits_the_voltage_as_its_name_says(unselected, row, column, neither):
    bias = select([(1, 2), (0, 0)], (3, 4), 1.2, unselected)
    voltage = solve(OHMIC, conductances(3, 4), segments(Wires(), 3, 4), bias).voltage
    for vector, (chosen_row, chosen_column) in enumerate([(1, 2), (0, 0)]):
        expected = torch.full((3, 4), 1.2 * neither, dtype=torch.float64)
        expected[chosen_row] = 1.2 * row
        expected[:, chosen_column] = 1.2 * column
        expected[chosen_row, chosen_column] = 1.2
        torch.testing.assert_close(voltage[vector], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("curve", [OHMIC, CUBIC])
@pytest.mark.parametrize("unselected", [HALF, THIRD, GROUNDED, FLOATING])
def test_write_schemes_with_wires_obey_kirchhoffs_laws(unselected, curve):
    conductance, wires = conductances(6, 5), Wires(8.0, 9.0, 30.0, 20.0, far_sense=10.0)
    bias = select([(4, 1)], (6, 5), 1.0, unselected)
    found = solve(curve, conductance, segments(wires, 6, 5), bias, with_nodes=True)
    is_floating = unselected is FLOATING
    expected = solve_nodal(
        conductance.numpy(),
        wires,
        bias.word_lines.numpy(),
        None if curve is OHMIC else cubic,
        bias.bit_lines.numpy(),
        floating_rows=(0, 1, 2, 3, 5) if is_floating else (),
        floating_columns=(0, 2, 3, 4) if is_floating else (),
    )
    np.testing.assert_allclose(found.word_line, expected.word_line, atol=1e-9)
    np.testing.assert_allclose(found.bit_line, expected.bit_line, atol=1e-9)
    np.testing.assert_allclose(found.cell_current, expected.cell_current, atol=1e-13)


def test_wires_take_voltage_from_the_cell_that_is_written_and_most_where_it_is_far():
    conductance = torch.full((16, 16), 1e-4, dtype=torch.float64)
    ends = segments(Wires(5.0, 5.0, 20.0, 20.0), 16, 16)
    voltage = solve(OHMIC, conductance, ends, select([(15, 0), (0, 15)], (16, 16), 1.0, HALF)).voltage
    near, far = voltage[0, 15, 0], voltage[1, 0, 15]
    assert 0.5 < far < near < 1


def test_what_leaks_through_floating_lines_is_the_sneak_path():
    """2 x 2 cells: beside the selected one, the three others in series."""
    conductance = torch.tensor([[1e-5, 2e-5], [3e-5, 4e-5]], dtype=torch.float64)
    bias = select([(0, 0)], (2, 2), 0.3, FLOATING)
    found = solve(OHMIC, conductance, segments(Wires(), 2, 2), bias)
    sneak = 1 / (1 / 2e-5 + 1 / 4e-5 + 1 / 3e-5)
    assert found.currents[0, 0].item() == pytest.approx(0.3 * (1e-5 + sneak), rel=1e-12)
    assert found.currents[0, 1].item() == 0


def test_lines_that_meet_nothing_but_one_another_carry_nothing():
    conductance = torch.zeros(2, 2, dtype=torch.float64)
    conductance[1, 1] = 1e-5
    found = solve(
        CUBIC, conductance, segments(Wires(1.0, 1.0), 2, 2), select([(0, 0)], (2, 2), 0.3, FLOATING)
    )
    assert found.cell_current.abs().max() < 1e-18


@pytest.mark.parametrize("wires", [Wires(2.0, 3.0, float("inf"), 5.0), Wires(2.0, 3.0, 4.0, float("inf"))])
def test_ends_of_infinite_resistance_leave_all_lines_floating(wires):
    conductance = conductances(4, 3)
    generator = torch.Generator().manual_seed(1)
    bias = Bias(
        torch.rand(2, 4, generator=generator, dtype=torch.float64),
        torch.rand(2, 3, generator=generator, dtype=torch.float64),
    )
    found = solve(CUBIC, conductance, segments(wires, 4, 3), bias, with_nodes=True)
    expected = solve_nodal(conductance.numpy(), wires, bias.word_lines.numpy(), cubic, bias.bit_lines.numpy())
    assert np.abs(expected.cell_current).max() > 1e-7
    np.testing.assert_allclose(found.cell_current, expected.cell_current, atol=1e-14)
    np.testing.assert_allclose(found.word_line, expected.word_line, atol=1e-9)


def test_only_differences_of_voltage_count():
    conductance, ends = conductances(5, 6), segments(Wires(8.0, 9.0, 30.0, 20.0), 5, 6)
    bias = select([(2, 3)], (5, 6), 0.8, THIRD)
    assert bias.bit_lines is not None
    lifted = Bias(bias.word_lines + 0.7, bias.bit_lines + 0.7)
    torch.testing.assert_close(
        solve(CUBIC, conductance, ends, lifted).currents,
        solve(CUBIC, conductance, ends, bias).currents,
        rtol=1e-8,
        atol=1e-13,
    )


def test_power_from_the_sources_is_what_cells_and_wires_turn_into_heat():
    conductance, wires = conductances(5, 6), Wires(8.0, 9.0, 30.0, 20.0)
    bias = select([(2, 3)], (5, 6), 0.8, FLOATING)
    found = solve(CUBIC, conductance, segments(wires, 5, 6), bias, tolerance=1e-13, with_nodes=True)
    assert found.word_line is not None
    assert found.bit_line is not None
    through = found.cell_current[0]
    in_word, in_bit = through.flip(1).cumsum(1).flip(1), through.cumsum(0)
    ohms_word = torch.tensor([38.0] + [8.0] * 5, dtype=torch.float64)
    ohms_bit = torch.tensor([[9.0]] * 4 + [[29.0]], dtype=torch.float64)
    heat = (in_word.square() * ohms_word).sum() + (in_bit.square() * ohms_bit).sum()
    heat = heat + (found.cell_current * found.voltage).sum()
    assert found.power.item() == pytest.approx(heat.item(), rel=1e-9)


def test_a_cell_that_is_not_there_cannot_be_selected():
    with pytest.raises(ConfigError, match=r"need row < 3 and column < 4, got \(3, 0\)"):
        select([(0, 0), (3, 0)], (3, 4), 1.0)
