"""Specifications of I-V curves and of what gives access to cells."""

import pytest

from crossloom.errors import SpecError
from crossloom.spec import AccessSpec, CellSpec, PolynomialIvSpec, SinhIvSpec, TableIvSpec


@pytest.mark.parametrize(
    "iv",
    [
        None,
        PolynomialIvSpec.cubic(0.4),
        PolynomialIvSpec(coefficients=(1.0, -0.5), limit=0.9, is_mirrored=True),
        SinhIvSpec(voltage=0.2),
        TableIvSpec(voltages=(0.0, 1.0), factors=(0.0, 2.0)),
    ],
)
def test_cells_come_back_from_plain_data(iv):
    cell = CellSpec(g_min=0.0, g_max=1e-4, iv=iv, access=AccessSpec(resistance=2e3, is_gated=False))
    assert CellSpec.parse(cell.model_dump(mode="json")) == cell


def test_cells_are_ohmic_and_bare_unless_said_otherwise():
    cell = CellSpec(g_min=0.0, g_max=1e-4)
    assert cell.iv is None
    assert cell.access is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"coefficients": (2.0,)}, "begin with 1.*got 2.0"),
        ({"coefficients": ()}, "coefficients"),
        ({"coefficients": (1.0, -1.0)}, "stops rising at 0.5 V; give a limit below 0.5 V"),
        ({"coefficients": (1.0, 1.0)}, "stops rising at -0.5 V"),
        ({"coefficients": (1.0, 0.0, -1.0), "limit": 0.7}, "stops rising at -?0.5774 V"),
        ({"coefficients": (1.0,), "limit": 0.0}, "limit"),
    ],
)
def test_polynomials_that_do_not_rise_are_refused(fields, message):
    with pytest.raises(SpecError, match=message):
        PolynomialIvSpec(**fields)


def test_within_its_limit_or_mirrored_the_same_polynomial_is_fine():
    assert PolynomialIvSpec(coefficients=(1.0, -1.0), limit=0.49)
    assert PolynomialIvSpec(coefficients=(1.0, 1.0), is_mirrored=True)
    assert PolynomialIvSpec(coefficients=(1.0, 0.0, 3.0))


@pytest.mark.parametrize(
    ("voltages", "factors", "message"),
    [
        ((0.0, 0.2, 0.1), (0.0, 0.2, 0.3), "voltages that rise.* row 2 has 0.1 after 0.2"),
        ((0.0, 0.1, 0.2), (0.0, 0.2, 0.2), "factors that rise.* row 2 has 0.2 after 0.2"),
        ((0.0, 0.1), (0.0, 0.1, 0.2), "one factor per voltage: 2, got 3"),
        ((0.1, 0.2), (0.1, 0.2), "a row with 0 V and factor 0"),
        ((0.0,), (0.0,), "voltages"),
    ],
)
def test_tables_that_are_no_curve_are_refused_by_their_row(voltages, factors, message):
    with pytest.raises(SpecError, match=message):
        TableIvSpec(voltages=voltages, factors=factors)


def test_impossible_numbers_are_refused():
    with pytest.raises(SpecError, match="voltage"):
        SinhIvSpec(voltage=0.0)
    with pytest.raises(SpecError, match="resistance"):
        AccessSpec(resistance=-1.0)
