"""Bad input: exit code 2, one line that says what was wanted, and no file left behind."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from crossloom.cli import main

MODEL = "tiny_models:make_net"
SYSTEM = ("--system", "tsinghua_c200")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("chip.core.macro.readout.bitz=5", "bitz is no field here; did you mean bits"),
        ("chips=5", "chips is no field here"),
        ("chip.core.macro.crossbar.cell.g_max=1e-9", "need 0 <= g_min < g_max"),
        ("num_chips=0", "num_chips"),
        ("num_chips=many", "num_chips"),
        ("num_chips", "need PATH=VALUE"),
        ("num_chips=[1,", "need a TOML value"),
    ],
)
def test_a_change_that_cannot_be(refused, tiny: Path, change: str, said: str) -> None:
    assert said in refused("compile", MODEL, *SYSTEM, "--data", tiny, "--set", change)
    assert said in refused("show", "tsinghua_c200", "--set", change)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("absent.onnx", "there is no file absent.onnx"),
        ("absent.pt2", "there is no file absent.pt2"),
        ("no_such_module:make", "No module named 'no_such_module'"),
        ("tiny_models:no_such_function", "has no function 'no_such_function'"),
        ("tiny_models:make_text", "returns an nn.Module, got str"),
        ("net", "need a .onnx or .pt2 file"),
        ("tiny_models:make_nan", "finite"),
        ("tiny_models:make_branching", "depends on the data"),
    ],
)
def test_a_model_that_cannot_be_compiled(refused, tiny: Path, model: str, said: str) -> None:
    assert said in refused("compile", model, *SYSTEM, "--data", tiny)


def test_an_unsupported_onnx_operation_is_named_with_its_node(refused, tiny: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Det", ["x"], ["y"], name="the_determinant")
    graph = onnx.helper.make_graph([node], "g", [value("x", 1, ["n", 8, 8])], [value("y", 1, ["n"])])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]), "det.onnx")
    message = refused("run", "det.onnx", *SYSTEM, "--data", tiny)
    assert "Det" in message
    assert "the_determinant" in message


@pytest.mark.parametrize("command", [("compile", MODEL, *SYSTEM), ("run", MODEL, *SYSTEM)])
@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"inputs": np.full((4, 8), np.nan, np.float32)}, "NaN or infinite"),
        ({"inputs": np.zeros((4, 9), np.float32)}, "9"),
        ({"inputs": np.zeros((0, 8), np.float32)}, "at least one sample"),
        (
            {"inputs": np.zeros((4, 8), np.float32), "labels": np.zeros(3, np.int64)},
            "one label for each of 4",
        ),
        ({"pictures": np.zeros((4, 8), np.float32)}, "inputs or images"),
        ({"inputs": np.array([None])}, "cannot be read"),
    ],
)
def test_data_that_do_not_fit(
    refused, command: tuple[str, ...], arrays: dict[str, np.ndarray], said: str
) -> None:
    np.savez("bad.npz", **arrays)  # pyright: ignore[reportArgumentType]
    assert said in refused(*command, "--data", "bad.npz", "-o", "bad")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "set CROSSLOOM_DATA"),
        (("--data", "absent"), "there is no file or folder absent"),
        (("--data", "."), "holds no data set"),
    ],
)
def test_data_that_are_not_there(refused, given: tuple[str, ...], said: str) -> None:
    assert said in refused("run", MODEL, *SYSTEM, *given)


def test_answers_of_the_wrong_shape_are_refused_before_any_pulse(refused, finished: Path) -> None:
    np.savez("bad.npz", inputs=np.zeros((4, 9), np.float32))
    assert "[batch, 8]" in refused("run", finished / "chips.xloom", "--data", "bad.npz", "-o", "bad")


def test_labels_that_the_model_does_not_know(refused, tiny: Path) -> None:
    np.savez("bad.npz", inputs=np.zeros((4, 8), np.float32), labels=np.array([0, 1, 2, 3]))
    assert "tells 3 classes apart" in refused("run", MODEL, *SYSTEM, "--data", "bad.npz")
    np.save("few.npy", np.zeros(3, np.int64))
    assert "one label for each of 32" in refused("run", MODEL, *SYSTEM, "--data", tiny, "--labels", "few.npy")


def test_a_system_that_is_unknown_or_missing(refused, tiny: Path) -> None:
    assert "did you mean" in refused("compile", MODEL, "--system", "tsinghua", "--data", tiny)
    assert "give --system" in refused("run", MODEL, "--data", tiny)
    assert "there is no file mine.toml" in refused("show", "mine.toml")


def test_a_system_too_small_says_how_much_is_missing(refused, tiny: Path) -> None:
    message = refused(
        "run", "tiny_models:make_wide", *SYSTEM, "--data", tiny, "--set", "num_chips=1", "--copies", 60
    )
    assert "macros" in message


def test_choices_that_this_hardware_cannot_do(refused, tiny: Path) -> None:
    compile_it = ("compile", MODEL, *SYSTEM, "--data", tiny)
    assert "multi_level" in refused(*compile_it, "--input-mode", "multi_level")
    assert "--bits-per-cell needs --slicing" in refused(*compile_it, "--bits-per-cell", 2)
    assert "--normalize" in refused(*compile_it, "--normalize", "one/two")
    assert "std > 0" in refused(*compile_it, "--normalize", "0/0")


def test_wrong_words_on_the_command_line(refused) -> None:
    assert "see crossloom --help" in refused("complie")
    assert "--sytem" in refused("compile", MODEL, "--sytem", "ideal")
    assert "bit_serail" in refused("compile", MODEL, "--input-mode", "bit_serail")
    assert "--weight-bits" in refused("compile", MODEL, "--weight-bits", 17)
    assert "not both" in refused("show", "ideal", "--json", "--toml")


def test_an_output_that_cannot_be_written(refused, tiny: Path, finished: Path) -> None:
    Path("folder").mkdir()
    Path("file").write_text("")
    assert "is a folder" in refused("compile", MODEL, *SYSTEM, "--data", tiny, "-o", "folder")
    assert "is a file" in refused("run", MODEL, *SYSTEM, "--data", tiny, "-o", "file/net")
    files = (finished / "chips.xloom", finished / "result.xloom")
    assert "*.html or *.json" in refused("report", *files, "-o", "report.pdf")


def test_compile_options_do_not_go_with_programmed_chips(refused, tiny: Path, finished: Path) -> None:
    for option in (("--system", "ideal"), ("--copies", 2), ("--draws", 3), ("--set", "num_chips=1")):
        assert "leave out" in refused("run", finished / "chips.xloom", "--data", tiny, *option)


def test_a_file_of_another_kind_is_told_apart(refused, tiny: Path, finished: Path) -> None:
    assert "program it first" in refused("run", finished / "placement.xloom", "--data", tiny)
    assert "not a Placement" in refused("program", finished / "chips.xloom")
    assert "not a RunResult" in refused("report", finished / "chips.xloom", finished / "chips.xloom")
    assert "no such file" in refused("program", "absent.xloom")


def test_a_truncated_file_is_refused_with_its_name(refused, tiny: Path, finished: Path) -> None:
    whole = (finished / "chips.xloom").read_bytes()
    Path("chips.xloom").write_bytes(whole[: len(whole) // 2])
    for command in (("run", "chips.xloom", "--data", tiny), ("show", "chips.xloom")):
        assert "chips.xloom: is truncated" in refused(*command)


def test_an_altered_file_is_refused(refused, finished: Path) -> None:
    data = bytearray((finished / "placement.xloom").read_bytes())
    data[-3] ^= 1
    Path("placement.xloom").write_bytes(data)
    assert "was altered" in refused("program", "placement.xloom")


def test_a_file_from_a_newer_version_says_so(refused, finished: Path) -> None:
    with safe_open(finished / "placement.xloom", framework="pt") as file:
        body = json.loads(file.metadata()["crossloom"])
    text = json.dumps({**body, "schema": body["schema"] + 1})
    metadata = {"crossloom": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    save_file(load_file(finished / "placement.xloom"), "placement.xloom", metadata=metadata)
    for command in (("program", "placement.xloom"), ("show", "placement.xloom")):
        assert "newer crossloom" in refused(*command)


def test_an_old_file_stays_whole_when_a_command_fails(crossloom, tiny: Path) -> None:
    Path("placement.xloom").write_text("old")
    assert crossloom("compile", "tiny_models:make_nan", *SYSTEM, "--data", tiny).code == 2
    assert Path("placement.xloom").read_text() == "old"


def test_an_interrupt_leaves_nothing_half_written(
    crossloom, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("crossloom.artefacts.atomic.os.replace", interrupt)
    answer = crossloom("compile", MODEL, *SYSTEM, "--data", tiny)
    assert (answer.code, answer.err) == (130, "interrupted; nothing half-written\n")
    assert list(Path.cwd().iterdir()) == []


def test_a_fault_of_our_own_keeps_its_traceback(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("crossloom.cli.choices.load_system", fail)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["compile", MODEL, *SYSTEM, "--data", str(tiny)])
