"""Systems from files, with changes, and what is refused on the way."""

import json
from pathlib import Path

import pytest

from crossloom.errors import SpecError
from crossloom.spec import SystemSpec, list_systems, load_system
from flows import CELL, MACRO


def to_toml(fields: dict, prefix: str = "") -> str:
    """Plain nested data as TOML: values first, then tables. None is left out."""
    values = {name: value for name, value in fields.items() if not isinstance(value, dict)}
    lines = [f"{json.dumps(name)} = {inline(value)}" for name, value in values.items() if value is not None]
    for name, value in fields.items():
        if isinstance(value, dict):
            key = f"{prefix}{json.dumps(name)}"
            lines += [f"[{key}]", to_toml(value, f"{key}.")]
    return "\n".join(lines)


def inline(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


@pytest.mark.parametrize("name", list_systems())
def test_a_system_survives_being_written_as_toml(name, tmp_path):
    system = load_system(name)
    path = tmp_path / "system.toml"
    path.write_text(to_toml(system.model_dump()), "utf-8")
    assert load_system(path) == system
    assert load_system(str(path)) == system


@pytest.mark.parametrize("name", list_systems())
def test_a_system_survives_being_written_as_json(name):
    system = load_system(name)
    assert SystemSpec.parse(json.loads(system.model_dump_json())) == system


def test_overrides_reach_every_depth():
    system = load_system(
        "tsinghua_c200",
        {
            "num_chips": 3,
            f"{CELL}.device.read_noise": 1e-6,
            f"{CELL}.device.stuck_low": 0.01,
            f"{MACRO}.readout.integrator.max_time": 31,
            "link.bandwidth": 1e9,
        },
    )
    device = system.macro.cell.device
    assert system.num_chips == 3
    assert device.read_noise.coefficients == (1e-6,)
    assert device.stuck_low == 0.01
    assert device.programming_error.coefficients == (1.3548e-6,)
    assert system.macro.readout.max_time == 31
    assert system.link.bandwidth == 1e9


def test_overrides_leave_the_preset_as_it_was():
    before = load_system("ideal")
    load_system("ideal", {f"{MACRO}.readout.bits": 8})
    assert load_system("ideal") == before


def test_an_override_can_replace_a_whole_part():
    device = {"kind": "gaussian", "variation": 0.1}
    assert load_system("ideal", {f"{CELL}.device": device}).macro.cell.device.variation == 0.1


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (f"{MACRO}.readout.bitz", 8, rf"{MACRO}\.readout\.bitz is no field here; did you mean bits"),
        (f"{CELL}.g_mx", 1e-6, r"g_mx is no field here; did you mean g_max or g_min"),
        (f"{CELL}.device.read_nois", 1e-6, r"read_nois is no field here; did you mean read_noise"),
        ("chips", 8, r"chips is no field here; did you mean chip"),
        ("self", 8, r"self is no field here"),
        (f"{MACRO}.readout.bits", 33, r"readout\.bits.* 32, got 33"),
        (f"{MACRO}.readout.bits", 0, "got 0"),
        (f"{MACRO}.readout.bits", "many", "got 'many'"),
        (f"{MACRO}.readout", {"bits": 1}, "bits >= 2"),
        (f"{MACRO}.readout.offset", -1.0, "greater than or equal to 0"),
        (f"{MACRO}.crossbar.num_rows", 0, "got 0"),
        (f"{MACRO}.crossbar.num_rows", 1.5, "got 1.5"),
        (f"{MACRO}.pairing", "diagonal", "'rows', 'columns' or 'none'"),
        (f"{MACRO}.input_modes", [], "at least 1"),
        (f"{MACRO}.input_modes", [{"kind": "serial"}], "'bit_serial', 'pulse', 'multi_level'"),
        (f"{CELL}.g_min", float("nan"), "finite"),
        (f"{CELL}.g_max", float("inf"), "finite"),
        (f"{CELL}.g_max", 1e-6, "g_min < g_max, got 2e-06 and 1e-06"),
        (f"{CELL}.num_levels", 1, "got 1"),
        (f"{CELL}.pulse.step", 0.0, "greater than 0"),
        (f"{CELL}.pulse.max_width", 1e-9, "width <= max_width"),
        (f"{CELL}.device.kind", "quantum", "'ideal', 'gaussian'"),
        (f"{CELL}.device.stuck_low", 1.5, "less than or equal to 1"),
        (f"{CELL}.device.stuck_high", -0.1, "greater than or equal to 0"),
        (
            f"{CELL}.device",
            {"kind": "gaussian", "stuck_low": 0.6, "stuck_high": 0.6},
            "stuck_low . stuck_high",
        ),
        (f"{CELL}.device.read_noise", -1e-6, "at least 0 siemens"),
        (f"{CELL}.device.read_noise", {"coefficients": []}, "at least 1"),
        (f"{CELL}.device.settling_time", 0.0, "greater than 0"),
        (f"{MACRO}.dac.read_voltage", None, "an integrator needs dac.read_voltage"),
        (f"{MACRO}.readout.bits", None, "an integrator needs a converter"),
        ("num_chips", -1, "got -1"),
        ("num_chips.of.many", 1, "num_chips has no fields of its own"),
        ("precision.weight_bits", 1, "got 1"),
        ("name", None, "name"),
    ],
)
def test_unknown_fields_and_impossible_values_are_refused(path, value, message):
    with pytest.raises(SpecError, match=message):
        load_system("tsinghua_c200", {path: value})


def test_all_complaints_come_at_once():
    with pytest.raises(SpecError) as caught:
        load_system("ideal", {"num_chips": 0, f"{MACRO}.readout.bits": 99})
    assert "num_chips" in str(caught.value)
    assert "99" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_part_is_named(tmp_path):
    path = tmp_path / "half.toml"
    path.write_text('name = "half"\ndescription = "half"\nnum_chips = 1\n')
    with pytest.raises(SpecError, match="chip is missing"):
        load_system(path)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe\x00", b"[a]\n[a]"])
def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=r"broken\.toml cannot be read as TOML"):
        load_system(path)


def test_a_file_that_is_not_there_is_refused_by_name():
    with pytest.raises(SpecError, match=r"no file .*missing\.toml"):
        load_system(Path("missing.toml"))


def test_a_folder_is_no_system(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SpecError, match=r"folder\.toml"):
        load_system(tmp_path / "folder.toml")
