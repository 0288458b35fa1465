"""Every preset loads, and every number in it has a source."""

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from crossloom.errors import SpecError
from crossloom.spec import SystemSpec, list_systems, load_system


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths of all values that hold no others."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list | tuple)
        else ()
    )
    if not isinstance(value, dict | list | tuple):
        yield path, value
    for name, item in items:
        yield from leaves(item, f"{path}.{name}" if path else str(name))


def numbers(system: SystemSpec) -> list[str]:
    plain = system.model_dump(exclude={"sources"})
    return [
        path
        for path, value in leaves(plain)
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def is_below(path: str, parent: str) -> bool:
    return path == parent or path.startswith(f"{parent}.")


def test_the_shipped_systems_are_those_that_are_promised():
    assert list_systems() == ["hermes", "ideal", "isaac", "neurram", "tsinghua_c200"]


@pytest.mark.parametrize("name", list_systems())
def test_every_preset_loads_under_its_own_name(name):
    system = load_system(name)
    assert system.name == name
    assert system.description


@pytest.mark.parametrize("name", list_systems())
def test_every_number_of_a_preset_has_a_source(name):
    system = load_system(name)
    assert len(numbers(system)) > 8
    missing = [path for path in numbers(system) if not any(is_below(path, at) for at in system.sources)]
    assert not missing


@pytest.mark.parametrize("name", list_systems())
def test_every_source_is_of_something_and_says_something(name):
    system = load_system(name)
    paths = [path for path, _ in leaves(system.model_dump(exclude={"sources"}))]
    for at, source in system.sources.items():
        assert any(is_below(path, at) for path in paths), at
        assert len(source) > 10


@pytest.mark.parametrize("name", list_systems())
def test_a_preset_says_no_more_and_no_less_than_its_file(name):
    """Every value in the TOML file is there, under its own path, after loading."""
    text = files("crossloom.spec.presets").joinpath(f"{name}.toml").read_text("utf-8")
    loaded = dict(leaves(load_system(name).model_dump(exclude={"sources"})))
    raw = tomllib.loads(text)
    raw.pop("sources")
    for path, value in leaves(raw):
        path = path if path in loaded else f"{path}.coefficients.0"
        assert loaded[path] == value, path


def test_the_first_chip_is_as_published():
    macro = load_system("tsinghua_c200").macro
    assert (macro.crossbar.num_rows, macro.crossbar.num_columns) == (1152, 128)
    assert macro.cell.g_max - macro.cell.g_min == pytest.approx(19.16e-6)
    assert macro.readout.code_range == (-8, 7)
    step = (macro.cell.g_max - macro.cell.g_min) / 7
    for time in (1, 12, 63):
        assert macro.gain(time, step) == pytest.approx(time / 63, rel=1e-4)


def test_a_system_without_noise_keeps_everything_else():
    system = load_system("tsinghua_c200")
    quiet = system.noiseless()
    assert quiet.macro.cell.device.kind == "ideal"
    assert quiet.macro.readout.offset is None
    assert quiet.macro.cell.replace(device=system.macro.cell.device) == system.macro.cell
    assert quiet.macro.readout.integrator == system.macro.readout.integrator
    assert quiet.noiseless() == quiet


def test_addresses_count_macros_chip_by_chip():
    system = load_system("isaac", {"num_chips": 2, "chip.num_cores": 3, "chip.core.num_macros": 2})
    addresses = list(system.addresses())
    assert len(set(addresses)) == len(addresses) == system.num_macros == 12
    assert addresses == sorted(addresses)
    assert addresses[7] == (1, 0, 1)
    assert str(addresses[7]) == "chip 1, core 0, macro 1"


def test_an_unknown_preset_is_refused_with_the_nearest_name():
    with pytest.raises(SpecError, match="did you mean tsinghua_c200"):
        load_system("tsinghua_c20")


def test_a_preset_far_from_all_names_is_refused_with_all_of_them():
    with pytest.raises(SpecError, match="known: hermes, ideal, isaac, neurram, tsinghua_c200"):
        load_system("zzz")
