"""The slow twin against circuits that can be worked out by hand."""

import sys

import numpy as np
import pytest

from crossloom.errors import MissingDependencyError
from crossloom.spec import Wires
from crossloom.testing.nodal import solve_nodal


def test_one_cell_is_resistors_in_series():
    found = solve_nodal(np.array([[0.1]]), Wires(1.0, 2.0, 3.0, 4.0), np.array([[1.0]]))
    assert found.currents[0, 0] == pytest.approx(1 / 20, rel=1e-12)
    assert found.word_line[0, 0, 0] == pytest.approx(1 - 4 / 20, rel=1e-12)
    assert found.bit_line[0, 0, 0] == pytest.approx(6 / 20, rel=1e-12)


def test_two_drivers_are_resistors_in_parallel():
    found = solve_nodal(np.array([[0.1]]), Wires(1.0, 0.0, 3.0, 0.0, far_driver=3.0), np.array([[1.0]]))
    assert found.currents[0, 0] == pytest.approx(1 / 12, rel=1e-12)


def test_wires_without_resistance_leave_the_plain_product():
    conductance, voltages = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, -1.0]])
    np.testing.assert_allclose(solve_nodal(conductance, Wires(), voltages).currents, voltages @ conductance)


def test_a_floating_row_joins_two_columns():
    conductance = np.array([[1e-3, 1e-3]])
    found = solve_nodal(
        conductance, Wires(), np.zeros((1, 1)), bit_lines=np.array([[0.0, 1.0]]), floating_rows=(0,)
    )
    np.testing.assert_allclose(found.cell_current[0], [[0.5e-3, -0.5e-3]])


def test_a_cubic_cell_behind_a_resistor_solves_its_cubic():
    """v + 100 g v (1 + v^2) = 1 with 100 g = 1: v^3 + 2 v = 1."""

    def current(g, v):
        return g * v * (1 + v**2), g * (1 + 3 * v**2)

    found = solve_nodal(np.array([[0.01]]), Wires(driver=100.0), np.array([[1.0]]), current)
    v = found.word_line[0, 0, 0]
    assert v**3 + 2 * v == pytest.approx(1.0, rel=1e-12)


def test_without_scipy_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingDependencyError, match="pip install 'crossloom"):
        solve_nodal(np.ones((1, 1)), Wires(), np.ones((1, 1)))
