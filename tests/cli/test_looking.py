"""What can be looked at without any work: help, version, systems, numbers, files."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from crossloom import __version__
from crossloom.spec import list_systems, load_system

COMMANDS = (
    "systems",
    "devices",
    "show",
    "compile",
    "program",
    "calibrate",
    "advance",
    "run",
    "report",
    "demo",
)


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["run", "--help"], []])
def test_help_and_version_load_no_heavy_library(args: list[str]) -> None:
    code = (
        "import sys; from crossloom.cli import main; code = main(sys.argv[1:]); "
        "print([name for name in ('torch', 'numpy', 'sklearn') if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_systems_need_no_torch() -> None:
    code = "import sys; from crossloom.cli import main; main(['systems']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_the_version_is_the_packages(crossloom) -> None:
    assert crossloom("--version").out == f"crossloom {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_that_fits_a_terminal(crossloom, command: str) -> None:
    answer = crossloom(command, "--help")
    assert answer.code == 0
    assert max(len(line) for line in answer.out.splitlines()) <= 80


def test_help_lists_every_command(crossloom) -> None:
    said = crossloom().out
    assert all(f" {command} " in said for command in COMMANDS)


def test_systems_lists_every_preset(crossloom) -> None:
    said = crossloom("systems").out
    assert all(name in said for name in list_systems())
    assert "1152×128" in said


@pytest.mark.parametrize("name", list_systems())
def test_show_prints_every_number_and_every_source(crossloom, name: str) -> None:
    said = " ".join(crossloom("show", name).out.split())
    system = load_system(name)
    assert all(" ".join(source.split()) in said for source in system.sources.values())
    assert f"num_rows {system.macro.crossbar.num_rows:,}" in said
    assert f"num_chips {system.num_chips:,}" in said


def test_show_writes_numbers_for_people(crossloom) -> None:
    said = crossloom("show", "tsinghua_c200").out
    for row in (
        "g_max                    21.16 µS",
        "capacitance              5.15 pF",
        "width                    20 ns",
    ):
        assert row in said


@pytest.mark.parametrize("name", list_systems())
def test_toml_and_json_say_the_same_as_the_preset(crossloom, name: str) -> None:
    said = crossloom("show", name, "--toml").out
    assert tomllib.loads(said)["name"] == name
    Path("mine.toml").write_text(said, "utf-8")
    assert load_system("mine.toml") == load_system(name)
    assert json.loads(crossloom("show", "mine.toml", "--json").out) == load_system(name).model_dump(
        mode="json"
    )


def test_show_tells_what_a_file_holds(crossloom, finished: Path) -> None:
    for name, kind in (("placement", "Placement"), ("chips", "ProgrammedChips"), ("result", "RunResult")):
        said = crossloom("show", finished / f"{name}.xloom").out
        assert said.startswith(f"{finished / name}.xloom: {kind}\n{kind}")
    facts = json.loads(crossloom("show", finished / "chips.xloom", "--json").out)
    assert facts["kind"] == "ProgrammedChips"
