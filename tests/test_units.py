"""Numbers with SI prefixes."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossloom.units import fF, format_si, mV, nS, ns, pF, uS

PREFIXES = {"a": 1e-18, "f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6}
PREFIXES |= {"G": 1e9, "T": 1e12}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.916e-05, "19.16 µS"),
        (-3e-6, "-3 µS"),
        (0, "0 S"),
        (1, "1 S"),
        (999.9, "999.9 S"),
        (0.99999999, "1 S"),
        (9.99999e-7, "1 µS"),
        (-999.96e-6, "-1 mS"),
        (1000, "1 kS"),
        (1e-18, "1 aS"),
        (1e15, "1000 TS"),
        (float("inf"), "inf S"),
        (float("nan"), "nan S"),
    ],
)
def test_numbers_are_written_with_the_prefix_that_fits(value, written):
    assert format_si(value, "S") == written


@settings(deadline=None)
@given(st.floats(min_value=1e-17, max_value=9e14))
def test_what_is_written_is_the_number_to_four_digits(value):
    number, unit = format_si(value, "V").split(" ")
    assert unit[-1] == "V"
    assert float(number) * PREFIXES[unit[:-1]] == pytest.approx(value, rel=6e-4)
    assert float(number) < 1000 or value > 9e11


def test_prefixes_multiply():
    assert 40 * uS == pytest.approx(4e-5)
    assert (1 * nS, 1 * ns, 1 * mV, 1 * fF, 1 * pF) == (1e-9, 1e-9, 1e-3, 1e-15, 1e-12)
    assert math.isclose(5.15 * pF, 5.15e-12)
