"""A search as a TOML file: short forms, paths, and what is refused."""

from pathlib import Path

import pytest

from crossloom.cli.sweep_file import SweepFile, read_sweep
from crossloom.errors import ConfigError

HEAD = 'model = "net.onnx"\nsystem = "tsinghua_c200"\n'


def read(text: str) -> SweepFile:
    Path("space.toml").write_text(HEAD + text)
    return read_sweep(Path("space.toml"))


def test_the_file_gives_its_name_and_the_rest_has_defaults():
    file = read("[knobs]\n'mapping.copies' = [1, 2]\n")
    assert (file.name, file.goals, file.sampler) == ("space", {"accuracy": "maximise"}, {"kind": "sobol"})


def test_goals_may_be_names_alone_and_know_which_way_is_better():
    file = read("goals = ['accuracy', 'energy']\n[knobs]\n'mapping.copies' = [1, 2]\n")
    assert file.goals == {"accuracy": "maximise", "energy": "minimise"}


def test_paths_may_be_written_with_or_without_quotes():
    plain = read("[knobs]\nmapping.copies = [1, 2]\nsystem.num_chips = {low = 1, high = 8}\n")
    quoted = read("[knobs]\n'mapping.copies' = [1, 2]\n'system.num_chips' = {low = 1, high = 8}\n")
    assert plain == quoted
    assert set(plain.knobs) == {"mapping.copies", "system.num_chips"}


def test_knobs_and_what_is_fixed_reach_system_and_configurations():
    file = read(
        "[fixed]\n'system.num_chips' = 3\n'mapping.slicing' = 'sign_magnitude'\n"
        "[knobs]\n'mapping.slicing.bits_per_cell' = [1, 2]\n'quant.weight_bits' = [4, 6]\n"
    )
    values = {"mapping.slicing.bits_per_cell": 2, "quant.weight_bits": 6}
    assert file.make_system(values).num_chips == 3
    assert file.config_fields("mapping", values) == {
        "slicing": {"kind": "sign_magnitude", "bits_per_cell": 2}
    }
    assert file.config_fields("quant", values) == {"weight_bits": 6}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "give a table [knobs]"),
        ("[knobs]\n", "give a table [knobs]"),
        ("[knobs]\ncopies = [1, 2]\n", "begins with system., quant., mapping. or placement."),
        ("goal = ['accuracy']\n[knobs]\nmapping.copies = [1]\n", "did you mean goals"),
        ("goals = ['acuracy']\n[knobs]\nmapping.copies = [1]\n", "did you mean accuracy"),
        ("goals = {energy = 'small'}\n[knobs]\nmapping.copies = [1]\n", "'maximise' or 'minimise'"),
        ("goals = []\n[knobs]\nmapping.copies = [1]\n", "at least 1 item"),
        ("fixed = {'mapping.copies' = 2}\n[knobs]\nmapping.copies = [1]\n", "both a knob and fixed"),
        ("chips = 0\n[knobs]\nmapping.copies = [1]\n", "greater than or equal to 1"),
        ("workers = \n", "cannot be read as TOML"),
    ],
)
def test_a_file_that_cannot_be_says_what_is_wrong_in_one_line(text, said):
    with pytest.raises(ConfigError) as error:
        read(text)
    assert said in str(error.value)
    assert str(error.value).startswith("space.toml")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigError, match=r"there is no file absent\.toml"):
        read_sweep(Path("absent.toml"))
