"""What a `Crossbar` and `effective_conductance` refuse, each in one line, before anything is solved."""

import numpy as np
import pytest
import torch

from crossloom.circuits import Crossbar, effective_conductance
from crossloom.errors import ConfigError, SpecError
from crossloom.spec import PolynomialIvSpec, Wires, load_system

CELLS = np.full((3, 2), 1e-5)


@pytest.mark.parametrize("spec", ["wires", 1.0, (1, 1), load_system("ideal")])
def test_something_else_than_wires_is_refused(spec):
    with pytest.raises(ConfigError, match=r"^spec: need Wires or a CrossbarSpec, got a \w+$"):
        Crossbar(CELLS, spec)


@pytest.mark.parametrize("curve", ["cubic", 0.4, load_system("ideal").macro.cell])
def test_something_else_than_a_curve_is_refused(curve):
    with pytest.raises(ConfigError, match=r"^curve: need an IvSpec"):
        Crossbar(CELLS, None, curve)


@pytest.mark.parametrize("cells", [CELLS + 1j, CELLS.astype(str), CELLS.astype(object)])
def test_arrays_that_are_no_numbers_are_refused(cells):
    with pytest.raises(ConfigError, match="conductance: need real numbers"):
        Crossbar(cells)


@pytest.mark.parametrize("kind", [">f8", np.longdouble, np.float32, int])
def test_all_real_arrays_are_taken(kind):
    cells = np.array([[1, 2], [3, 4]]).astype(kind)
    np.testing.assert_allclose(Crossbar(cells) @ np.array([1.0, 10.0]), [31.0, 42.0])


def test_an_array_that_changes_later_changes_no_crossbar():
    cells = CELLS.copy()
    crossbar = Crossbar(cells, Wires(1.0, 1.0))
    before = crossbar @ np.ones(3)
    cells[:] = 1e-3
    np.testing.assert_array_equal(crossbar @ np.ones(3), before)
    np.testing.assert_array_equal(crossbar.conductance, CELLS)


def test_the_matrix_is_an_array_for_an_array_and_a_tensor_for_a_tensor():
    assert isinstance(Crossbar(CELLS).effective, np.ndarray)
    assert isinstance(Crossbar(torch.from_numpy(CELLS)).effective, torch.Tensor)


def test_an_array_for_effective_conductance_is_pointed_to_crossbar():
    with pytest.raises(ConfigError, match=r"need a tensor, got ndarray; Crossbar"):
        effective_conductance(CELLS, Wires(1.0, 1.0))


def test_resistances_given_twice_are_refused():
    with pytest.raises(SpecError, match="word_line given twice"):
        Wires(1.0, word_line=2.0)


@pytest.mark.parametrize("make", [PolynomialIvSpec.cubic, PolynomialIvSpec.quadratic])
@pytest.mark.parametrize("voltage", [0.0, -0.4, float("nan")])
def test_a_curve_bends_at_a_voltage_above_zero(make, voltage):
    with pytest.raises(SpecError, match="need a voltage above 0 V"):
        make(voltage)
