"""Curves of single cells: their slopes, their limits, and what lies in series."""

import pytest
import torch

from crossloom.circuits import in_series, make_curve
from crossloom.circuits.curves import separable_terms
from crossloom.spec import AccessSpec, PolynomialIvSpec, SinhIvSpec, TableIvSpec

SPECS = {
    "ohmic": None,
    "cubic": PolynomialIvSpec.cubic(0.4),
    "quadratic": PolynomialIvSpec.quadratic(0.3),
    "limited": PolynomialIvSpec(coefficients=(1.0, 0.5, -0.4), limit=0.55),
    "sinh": SinhIvSpec(voltage=0.15),
    "table": TableIvSpec(voltages=(-1.0, -0.2, 0.0, 0.5, 1.0), factors=(-0.7, -0.2, 0.0, 0.6, 1.9)),
    "mirrored table": TableIvSpec(voltages=(0.0, 0.3, 1.0), factors=(0.0, 0.2, 1.5)),
}
CONDUCTANCE = torch.tensor([1e-6, 5e-5, 1e-4], dtype=torch.float64).unsqueeze(1)
VOLTAGE = torch.linspace(-1.43, 1.37, 113, dtype=torch.float64)


@pytest.mark.parametrize("resistance", [0.0, 300.0, 1.1e5])
@pytest.mark.parametrize("name", SPECS)
def test_the_slope_is_the_derivative_of_the_current(name, resistance):
    curve = make_curve(SPECS[name], AccessSpec(resistance=resistance))
    step = 1e-7
    _, slope = curve.current(CONDUCTANCE, VOLTAGE)
    higher, lower = (curve.current(CONDUCTANCE, VOLTAGE + sign * step)[0] for sign in (1, -1))
    torch.testing.assert_close(slope, (higher - lower) / (2 * step), rtol=1e-5, atol=1e-14)


@pytest.mark.parametrize("resistance", [0.0, 300.0])
@pytest.mark.parametrize("name", SPECS)
def test_no_current_flows_at_0_volt_and_it_rises_from_there(name, resistance):
    curve = make_curve(SPECS[name], AccessSpec(resistance=resistance))
    current, slope = curve.current(CONDUCTANCE, VOLTAGE)
    assert (current.diff(dim=1) > 0).all()
    assert (slope > 0).all()
    assert not curve.current(CONDUCTANCE, torch.zeros(1, dtype=torch.float64))[0].any()


@pytest.mark.parametrize("name", SPECS)
def test_what_is_in_series_takes_its_share_of_the_voltage(name):
    """Ohm's law of the resistor: what the cell carries at what is left is what flows."""
    bare, resistance = make_curve(SPECS[name]), 2e4
    current, _ = in_series(bare, resistance).current(CONDUCTANCE, VOLTAGE)
    left = VOLTAGE - resistance * current
    torch.testing.assert_close(bare.current(CONDUCTANCE, left)[0], current, rtol=1e-10, atol=1e-16)


def test_nothing_in_series_is_nothing():
    curve = make_curve(SPECS["cubic"])
    assert in_series(curve, 0.0) is curve


def test_two_resistances_in_series_with_ohmic_cells_add_up():
    curve = in_series(make_curve(None, AccessSpec(resistance=100.0)), 50.0)
    current, _ = curve.current(CONDUCTANCE, VOLTAGE)
    torch.testing.assert_close(current, VOLTAGE / (1 / CONDUCTANCE + 150.0), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", SPECS)
def test_separable_curves_are_the_sum_of_their_terms(name):
    curve = make_curve(SPECS[name])
    terms = separable_terms(curve, CONDUCTANCE)
    assert terms is not None
    total = sum(matrix * shape(VOLTAGE) for matrix, shape in terms)
    torch.testing.assert_close(total, curve.current(CONDUCTANCE, VOLTAGE)[0], rtol=1e-14, atol=0)


def test_cells_behind_access_resistance_are_not_separable_unless_they_are_ohmic():
    access = AccessSpec(resistance=100.0)
    assert separable_terms(make_curve(SPECS["cubic"], access), CONDUCTANCE) is None
    assert separable_terms(make_curve(None, access), CONDUCTANCE) is not None


def test_the_cubic_of_the_reference_is_itself():
    current, _ = make_curve(SPECS["cubic"]).current(CONDUCTANCE, VOLTAGE)
    expected = CONDUCTANCE * VOLTAGE * (1 + (VOLTAGE / 0.4) ** 2)
    torch.testing.assert_close(current, expected, rtol=1e-14, atol=0)


def test_beyond_its_limit_a_polynomial_goes_on_straight():
    curve = make_curve(SPECS["limited"])
    voltage = torch.tensor([0.55, 0.85, -0.55, -5.0], dtype=torch.float64)
    current, slope = curve.current(torch.ones(1, dtype=torch.float64), voltage)
    assert slope[1] == slope[0]
    assert current[1].item() == pytest.approx(current[0].item() + 0.3 * slope[0].item(), rel=1e-14)
    assert current[3].item() == pytest.approx(current[2].item() - 4.45 * slope[2].item(), rel=1e-14)


def test_sinh_stays_finite_however_high_the_voltage():
    current, slope = make_curve(SPECS["sinh"]).current(CONDUCTANCE, torch.tensor([1e4], dtype=torch.float64))
    assert torch.isfinite(current).all()
    assert torch.isfinite(slope).all()


def test_a_table_gives_its_rows_and_their_mean_half_way():
    curve = make_curve(SPECS["mirrored table"])
    voltage = torch.tensor([0.3, 0.65, -0.3], dtype=torch.float64)
    current, _ = curve.current(torch.tensor(2e-5, dtype=torch.float64), voltage)
    expected = torch.tensor([0.2, 0.85, -0.2], dtype=torch.float64) * 2e-5
    torch.testing.assert_close(current, expected, rtol=1e-14, atol=0)


def test_the_gradient_through_access_resistance_is_that_of_finite_differences():
    curve = make_curve(SPECS["sinh"], AccessSpec(resistance=3e3))
    scaled = torch.tensor([0.1, 0.7, 1.0], dtype=torch.float64, requires_grad=True)
    voltage = torch.tensor([0.3, -0.5, 0.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda g, v: curve.current(g * 1e-4, v)[0] * 1e4, (scaled, voltage))
