"""Published devices by name: each loads, each number has a source, and each can be put into a system."""

import json
import tomllib
from importlib.resources import files

import pytest
import torch

import crossloom as xl
from crossloom.artefacts.codec import Encoder, decoder
from crossloom.backends import SimulatedBackend
from crossloom.errors import SpecError
from crossloom.hardware import Region
from crossloom.spec import (
    CellSpec,
    DevicePreset,
    MacroAddress,
    SystemSpec,
    list_devices,
    load_device,
    load_system,
)

WINDOWS = {
    "cmo_hfox": (9e-6, 8.82e-5),
    "cmo_hfox_fine": (9e-6, 8.82e-5),
    "hermes_one_device": (0, 1.035e-5),
    "hermes_two_device": (0, 2.07e-5),
    "milo2021": (5e-5, 2.25e-4),
    "neurram_crosssim": (1e-6, 3.926e-5),
    "neurram_wan": (1e-6, 4e-5),
    "pcm_nandakumar": (0, 2.5e-5),
    "sonos_agrawal": (0, 1.6e-5),
}


def leaves(value, path: str):
    """Dotted paths of all values that hold no others."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}.{number}")
    else:
        yield path, value


def test_the_shipped_devices_are_those_that_are_promised():
    assert list_devices() == sorted(WINDOWS)
    assert xl.list_devices() == list_devices()
    assert xl.load_device("milo2021") == load_device("milo2021")


@pytest.mark.parametrize("name", WINDOWS)
def test_a_device_has_its_name_and_its_published_window(name):
    preset = load_device(name)
    assert preset.name == name
    assert preset.description
    assert (preset.cell.g_min, preset.cell.g_max) == WINDOWS[name]


@pytest.mark.parametrize("name", WINDOWS)
def test_every_number_of_a_device_has_a_source_and_every_source_a_number(name):
    preset = load_device(name)
    known = dict(leaves(preset.cell.model_dump(), "cell"))
    numbers = [path for path, value in known.items() if type(value) in (int, float)]
    assert len(numbers) > 5
    for path in numbers:
        assert any(path == at or path.startswith(f"{at}.") for at in preset.sources), path
    for at, source in preset.sources.items():
        assert any(path == at or path.startswith(f"{at}.") for path in known), at
        assert len(source) > 10


@pytest.mark.parametrize("name", WINDOWS)
def test_every_effect_that_is_switched_on_has_a_source_of_its_own(name):
    preset = load_device(name)
    device = preset.cell.device.model_dump(exclude_none=True)
    usual = {"kind", "stuck_low", "stuck_high", "pulse_spread", "settling_time"}
    for effect in device.keys() - usual:
        assert f"cell.device.{effect}" in preset.sources


@pytest.mark.parametrize("name", WINDOWS)
def test_a_device_says_no_more_and_no_less_than_its_file(name):
    text = files("crossloom.spec.presets").joinpath("devices", f"{name}.toml").read_text("utf-8")
    loaded = dict(leaves(load_device(name).cell.model_dump(), "cell"))
    for path, value in leaves(tomllib.loads(text)["cell"], "cell"):
        assert loaded[path] == value, path


def test_an_unknown_device_is_refused_with_the_nearest_names():
    with pytest.raises(SpecError, match="no device is called 'neurram'; did you mean neurram_wan"):
        load_device("neurram")


def test_a_source_of_nothing_is_refused():
    with pytest.raises(SpecError, match=r"need sources of cell\.…, got g_max"):
        load_device("milo2021").replace(sources={"g_max": "somewhere in a paper"})


@pytest.mark.parametrize("name", WINDOWS)
def test_a_system_takes_a_published_device_and_survives_json(name):
    system = load_system("neurram").with_cell(load_device(name))
    assert system.macro.cell == load_device(name).cell
    assert system == load_system("neurram").with_cell(load_device(name).cell).replace(sources=system.sources)
    assert system.macro.readout == load_system("neurram").macro.readout
    assert SystemSpec.parse(json.loads(system.model_dump_json())) == system
    assert system.noiseless().macro.cell.device.kind == "ideal"


def test_the_sources_of_a_systems_old_cells_go_with_them_and_those_of_the_new_come():
    before, place = load_system("neurram"), "chip.core.macro.crossbar.cell."
    published = before.with_cell(load_device("milo2021"))
    assert "Milo" in published.sources[f"{place}device.programming_error"]
    bare = before.with_cell(load_device("milo2021").cell)
    assert not [path for path in bare.sources if path.startswith(place)]
    assert bare.sources.keys() < before.sources.keys()


def test_a_devices_own_file_survives_json():
    preset = load_device("neurram_wan")
    assert DevicePreset.parse(json.loads(preset.model_dump_json())) == preset


def test_the_neurram_system_has_the_cells_of_the_published_device():
    system, device = load_system("neurram").macro.cell, load_device("neurram_wan").cell
    assert system.device.programming_error == device.device.programming_error
    assert (system.g_min, system.g_max) == (device.g_min, device.g_max)


def test_specifications_of_before_there_were_kinds_of_spreads_still_load():
    cell = {"g_min": 0.0, "g_max": 1e-5}
    spread = {"coefficients": [1e-6], "scale": 1.0}
    old = CellSpec.parse({**cell, "device": {"kind": "gaussian", "programming_error": spread}})
    new = CellSpec.parse({**cell, "device": {"kind": "gaussian", "programming_error": 1e-6}})
    assert old == new


@pytest.mark.parametrize("name", ["pcm_nandakumar", "neurram_wan"])
def test_chips_of_a_published_device_are_saved_and_go_on_as_if_nothing_had_happened(name):
    chips = SimulatedBackend(load_system("neurram").with_cell(load_device(name).cell), seed=3)
    place, region = MacroAddress(0, 0, 0), Region(2, 3, 20, 10)
    chips.set(place, region, torch.full((20, 10), 1e-5, dtype=torch.float64))
    encoder = Encoder()
    plain = json.loads(json.dumps(encoder.encode(chips.to_state())))
    again = SimulatedBackend.from_state(decoder(encoder.tensors)(plain))
    for twin in (chips, again):
        twin.wait(1e5)
    assert torch.equal(chips.read(place, region), again.read(place, region))
    assert torch.equal(chips.conductance(place, region), again.conductance(place, region))
