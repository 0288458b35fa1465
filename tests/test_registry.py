"""Names for objects."""

import pytest

from crossloom.errors import ConfigError
from crossloom.registry import Registry, did_you_mean


def test_a_registered_thing_is_found_by_its_name():
    shapes = Registry("shape")
    square = shapes.register("square", object())
    assert shapes["square"] is square
    assert shapes.names() == ["square"]


def test_a_name_is_given_once_but_may_be_given_again_to_the_same():
    shapes, thing = Registry("shape"), object()
    shapes.register("square", thing)
    assert shapes.register("square", thing) is thing
    with pytest.raises(ConfigError, match="'square' is registered already"):
        shapes.register("square", object())


def test_an_unknown_name_is_refused_with_the_nearest():
    shapes = Registry("shape")
    shapes.register("square", 4)
    with pytest.raises(ConfigError, match=r"no shape is called 'sqare'; did you mean square\?"):
        shapes["sqare"]


def test_an_empty_registry_says_that_it_is():
    with pytest.raises(ConfigError, match="known: none"):
        Registry("shape")["square"]


def test_a_decorator_registers_and_leaves_the_thing_as_it_is():
    shapes = Registry("shape")

    @shapes.decorate("square")
    class Square:
        pass

    assert shapes["square"] is Square


def test_entry_points_are_loaded_when_first_asked_for():
    from crossloom.backends import SimulatedBackend

    backends = Registry("backend", "crossloom.backends")
    assert "simulated" in backends.names()
    assert backends["simulated"] is SimulatedBackend


def test_all_known_names_are_told_when_none_is_near():
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
