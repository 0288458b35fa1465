"""Knobs: what they refuse, and that unit cube, grid and checks agree on what a knob's values are."""

import numpy as np
import pytest

from crossloom.errors import SearchError
from crossloom.search import Choice, Float, Int

FINITE = [
    Float(0.0, 1.0, step=0.1),
    Float(-2.0, 2.0, step=0.5),
    Float(3.0, 3.0),
    Int(1, 63),
    Int(2, 20, step=3),
    Int(1, 1000, log=True),
    Int(5, 5),
    Choice(["pair", "offset", None]),
    Choice([64, 128, 256]),
]
CONTINUOUS = [Float(-1.0, 2.0), Float(1e-9, 1e-3, log=True)]


@pytest.mark.parametrize("knob", FINITE, ids=repr)
def test_every_value_of_a_finite_knob_survives_the_way_to_the_unit_interval_and_back(knob):
    values = knob.grid(None)
    assert len(values) == knob.size == len(set(values))
    assert [knob.from_unit(knob.to_unit(value)) for value in values] == values
    assert [knob.check(value) for value in values] == values


@pytest.mark.parametrize("knob", CONTINUOUS, ids=repr)
def test_values_of_a_continuous_knob_survive_the_way_to_the_unit_interval_and_back(knob):
    places = np.linspace(0, 1, 101)
    values = [knob.from_unit(place) for place in places]
    assert (values[0], values[-1]) == (knob.low, knob.high)
    assert np.diff(values).min() > 0
    np.testing.assert_allclose([knob.to_unit(value) for value in values], places, atol=1e-12)


@pytest.mark.parametrize(
    "knob", [Int(1, 63), Int(2, 20, step=3), Choice(list("abcde")), Float(0.0, 1.0, step=0.25)]
)
def test_the_shares_of_a_knobs_values_are_equal(knob):
    places = (np.arange(9000) + 0.5) / 9000
    counts = np.unique([str(knob.from_unit(place)) for place in places], return_counts=True)[1]
    assert counts.min() >= 9000 // knob.size - 1
    assert counts.max() <= 9000 // knob.size + 1


def test_a_logarithmic_integer_is_even_in_its_logarithm():
    knob = Int(1, 1000, log=True)
    values = np.array([knob.from_unit(place) for place in (np.arange(10_000) + 0.5) / 10_000])
    shares = [(values <= edge).mean() for edge in (10, 100)]
    np.testing.assert_allclose(
        shares, [np.log(edge / 0.5) / np.log(2001) for edge in (10.5, 100.5)], atol=1e-3
    )


def test_a_resolution_thins_a_grid_and_keeps_its_ends():
    assert Int(1, 63).grid(3) == [1, 32, 63]
    assert Float(0.0, 1.0).grid(3) == [0.0, 0.5, 1.0]
    assert Float(1.0, 100.0, log=True).grid(3) == pytest.approx([1.0, 10.0, 100.0])
    assert Int(1, 100, log=True).grid(3) == [1, 10, 100]
    assert Choice(["a", "b", "c"]).grid(2) == ["a", "b", "c"]
    assert Int(1, 3).grid(10) == [1, 2, 3]


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Float(2.0, 1.0), "low <= high, got 2 and 1"),
        (lambda: Int(5, 4), "low <= high"),
        (lambda: Float(0.0, 1.0, log=True), "low > 0, got 0"),
        (lambda: Int(0, 8, log=True), "low > 0"),
        (lambda: Float(0.0, 1.0, step=0.3), "use high=0.9"),
        (lambda: Int(1, 8, step=3), "use high=7"),
        (lambda: Int(1, 8, step=0), "step > 0"),
        (lambda: Float(1.0, 2.0, log=True, step=0.5), "leave one out"),
        (lambda: Float(0.0, float("inf")), "finite"),
        (lambda: Choice([]), "at least one option"),
        (lambda: Choice(["a", "b", "a"]), "'a' comes twice"),
        (lambda: Choice("ab"), "options"),
        (lambda: Int(1.5, 3), "low"),
        (lambda: Float(0.0, 1.0, step=1e-320), "leave step out"),
    ],
)
def test_a_knob_that_cannot_be_is_refused_in_one_line(make, word):
    with pytest.raises(SearchError) as error:
        make()
    assert word in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        (Float(0.0, 1.0), 1.5),
        (Float(0.0, 1.0), float("nan")),
        (Float(0.0, 1.0), "0.5"),
        (Float(0.0, 1.0), True),
        (Float(0.0, 1.0, step=0.25), 0.3),
        (Int(1, 8), 2.5),
        (Int(1, 8), float("nan")),
        (Int(1, 8), 9),
        (Int(2, 8, step=2), 3),
        (Choice(["a", "b"]), "c"),
        (Choice(["a", "b"]), ["a"]),
    ],
)
def test_a_value_that_a_knob_does_not_have_is_refused(knob, value):
    with pytest.raises(ValueError, match="wants"):
        knob.check(value)


def test_numbers_of_other_kinds_become_the_knobs_own():
    assert (Int(1, 8).check(np.int64(3)), type(Int(1, 8).check(3.0))) == (3, int)
    assert type(Float(0, 8).check(np.float32(3))) is float
    assert Float(0.0, 1.0, step=0.1).check(0.1 + 0.2) == Float(0.0, 1.0, step=0.1).check(0.3)
