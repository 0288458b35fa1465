"""Spaces: one key per point, and clear words for what does not fit."""

import pytest

from crossloom.errors import SearchError
from crossloom.search import Choice, Float, Int, Space

SPACE = Space({"read_voltage": Float(0.1, 0.3), "bits": Int(4, 8), "encoding": Choice(["pair", "offset"])})


def test_a_point_has_one_key_whatever_its_order_and_number_types():
    one = SPACE.key({"bits": 6, "encoding": "pair", "read_voltage": 0.2})
    assert one == SPACE.key({"read_voltage": 0.2, "encoding": "pair", "bits": 6.0})
    assert one != SPACE.key({"read_voltage": 0.2, "encoding": "pair", "bits": 7})
    whole = Space({"x": Float(0, 2)})
    assert whole.key({"x": 1}) == whole.key({"x": 1.0})


def test_the_size_is_the_product_of_the_knobs_and_none_for_a_continuum():
    assert SPACE.size is None
    assert Space({"bits": Int(4, 8), "encoding": Choice(["pair", "offset"])}).size == 10


def test_a_grid_holds_every_point_once():
    space = Space({"bits": Int(4, 8), "encoding": Choice(["pair", "offset"]), "v": Float(0, 1, step=0.5)})
    keys = [space.key(values) for values in space.grid()]
    assert len(keys) == len(set(keys)) == space.size == 30


def test_a_grid_takes_a_resolution_for_each_knob():
    points = list(SPACE.grid({"read_voltage": 2, "bits": 3}))
    assert len(points) == 2 * 3 * 2
    assert {point["read_voltage"] for point in points} == {0.1, 0.3}


def test_points_survive_the_way_to_the_unit_cube_and_back():
    for values in SPACE.grid({"read_voltage": 4}):
        back = SPACE.from_unit(SPACE.to_unit(values))
        assert back.pop("read_voltage") == pytest.approx(values["read_voltage"])
        assert back == {name: values[name] for name in ("bits", "encoding")}


def test_an_unknown_knob_is_refused_with_the_nearest_names():
    with pytest.raises(SearchError, match="no knob 'read_volts'; did you mean read_voltage"):
        SPACE.check({"read_volts": 0.2, "bits": 4, "encoding": "pair"})


@pytest.mark.parametrize(
    ("do", "word"),
    [
        (lambda: SPACE.check({"bits": 4}), "read_voltage, encoding missing"),
        (
            lambda: SPACE.check({"read_voltage": 1.0, "bits": 4, "encoding": "pair"}),
            "read_voltage wants 0.1 to 0.3",
        ),
        (
            lambda: SPACE.check({"read_voltage": 0.2, "bits": 4, "encoding": "pairs"}),
            "one of 'pair', 'offset'",
        ),
        (lambda: Space({}), "at least one knob"),
        (lambda: Space({"x": (0, 1)}), "x"),
        (lambda: list(SPACE.grid()), "read_voltage: a grid over a continuous knob needs a resolution"),
        (lambda: list(SPACE.grid(0)), "at least 1"),
        (lambda: list(SPACE.grid({"bit": 3})), "did you mean bits"),
    ],
)
def test_what_does_not_fit_a_space_is_refused_in_one_line(do, word):
    with pytest.raises(SearchError) as error:
        do()
    assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_a_space_survives_json_with_its_order_and_types():
    space = Space({"z": Choice([None, True, 2, 2.5, "two"]), "a": Int(1, 8), "m": Float(1e-9, 1.0, log=True)})
    again = Space.parse(space.model_dump(mode="json"))
    assert again == space
    assert again.names == ("z", "a", "m")
    assert list(map(type, again.knobs["z"].options)) == list(map(type, space.knobs["z"].options))
