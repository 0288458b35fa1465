"""Every command of the flow does its stage, and its files serve the next."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import make_net

from crossloom.placement import Placement
from crossloom.programming import ProgrammedChips
from crossloom.runtime import RunResult

MODEL = "tiny_models:make_net"
SYSTEM = ("--system", "tsinghua_c200")
Crossloom = Callable[..., object]


def test_run_takes_a_model_from_end_to_end(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert names == {"placement.xloom", "chips.xloom", "result.xloom", "report.html", "report.json"}
    assert RunResult.load(finished / "result.xloom").outputs.shape == (32, 3)
    assert json.loads((finished / "report.json").read_text())


def test_the_stages_one_by_one_give_what_run_gives(crossloom, tiny: Path, finished: Path) -> None:
    compiled = crossloom("compile", MODEL, *SYSTEM, "--data", tiny)
    assert compiled.code == 0
    assert "placement: placement.xloom" in compiled.out
    assert crossloom("program", "placement.xloom", "--seed", 0).code == 0
    answered = crossloom("run", "chips.xloom", "--data", tiny, "-o", "again")
    assert answered.code == 0
    assert "with read noise" in answered.out
    outputs = [RunResult.load(folder / "result.xloom").outputs for folder in (Path("again"), finished)]
    assert torch.equal(*outputs)


def test_report_shows_a_result_again(crossloom, tiny: Path, finished: Path) -> None:
    files = (finished / "chips.xloom", finished / "result.xloom")
    answer = crossloom("report", *files, "--data", tiny, "-o", "again.json")
    assert answer.code == 0
    assert json.loads(Path("again.json").read_text()) == json.loads((finished / "report.json").read_text())


def test_report_without_labels_compares_with_float(crossloom, finished: Path) -> None:
    answer = crossloom("report", finished / "chips.xloom", finished / "result.xloom", "-o", "again.txt")
    assert answer.code == 0
    assert Path("again.txt").read_text()


def test_report_refuses_data_that_were_not_answered(crossloom, tiny: Path, finished: Path) -> None:
    files = (finished / "chips.xloom", finished / "result.xloom")
    answer = crossloom("report", *files, "--data", tiny, "--split", "train")
    assert answer.code == 2
    assert "not the first 32 samples of" in answer.err


def test_labels_from_a_file_take_the_place_of_the_datas(crossloom, tiny: Path, finished: Path) -> None:
    own = np.load(tiny / "test.npz")["labels"]
    usual = np.bincount(own).argmax()
    Path("labels.txt").write_text(f"{usual}\n" * 32)
    given = ("--data", tiny, "--labels", "labels.txt", "--mode", "float")
    answer = crossloom("run", finished / "chips.xloom", *given)
    assert answer.code == 0
    assert f"{(own == usual).mean():.2%}" in answer.out


def test_samples_of_one_class_alone_are_remarked_upon(crossloom, tiny: Path, finished: Path) -> None:
    Path("labels.txt").write_text("1\n" * 32)
    given = ("--data", tiny, "--labels", "labels.txt", "--mode", "float")
    answer = crossloom("run", finished / "chips.xloom", *given)
    assert answer.err == "note: all 32 samples are of class 1: is the file sorted?\n"


def test_other_seeds_are_other_chips(crossloom, finished: Path) -> None:
    assert crossloom("program", finished / "placement.xloom", "--seed", 1).code == 0
    errors = [
        ProgrammedChips.load(path).report.tiles[0].error  # pyright: ignore[reportOptionalMemberAccess]
        for path in (Path("chips.xloom"), finished / "chips.xloom")
    ]
    assert not torch.equal(*errors)


def test_draws_give_mean_and_spread(crossloom, tiny: Path) -> None:
    answer = crossloom("run", MODEL, *SYSTEM, "--data", tiny, "-o", "net", "--draws", 3)
    assert answer.code == 0
    facts = json.loads(Path("net/draws.json").read_text())
    assert facts["seeds"] == [0, 1, 2]
    assert f"3 sets of chips: accuracy {facts['mean']:.2%}" in answer.out


def test_choices_reach_the_placement(crossloom, tiny: Path) -> None:
    choices = ("--weight-bits", 6, "--activation-bits", 5, "--encoding", "offset_column", "--copies", 2)
    slicing = ("--slicing", "twos_complement", "--bits-per-cell", 2, "--input-mode", "bit_serial")
    answer = crossloom("compile", MODEL, "--system", "ideal", "--data", tiny, *choices, *slicing)
    assert answer.code == 0
    mapped = Placement.load("placement.xloom").mapped
    quant, mapping = mapped.quantized.config, mapped.config
    assert (quant.weight_bits, quant.activation_bits, mapping.copies) == (6, 5, 2)
    assert (mapping.encoding.kind, mapping.input_mode.kind) == ("offset_column", "bit_serial")  # pyright: ignore
    assert mapping.slicing.model_dump() == {"kind": "twos_complement", "bits_per_cell": 2}  # pyright: ignore


def test_set_changes_the_system(crossloom, tiny: Path) -> None:
    changes = ("--set", "num_chips=3", "--set", "chip.core.macro.readout.offset=none")
    assert crossloom("compile", MODEL, *SYSTEM, "--data", tiny, *changes).code == 0
    system = Placement.load("placement.xloom").system
    assert (system.num_chips, system.macro.readout.offset) == (3, None)


def test_without_a_train_split_calibration_says_what_it_takes(crossloom, tiny: Path) -> None:
    answer = crossloom("compile", MODEL, *SYSTEM, "--data", tiny / "test.npz", "--samples", 16)
    assert answer.code == 0
    assert answer.err == "note: no train split; calibrating on 16 samples of test test\n"


def test_data_come_from_the_environment(crossloom, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSLOOM_DATA", str(tiny.parent))
    assert crossloom("compile", MODEL, *SYSTEM, "--data", tiny.name).code == 0
    monkeypatch.setenv("CROSSLOOM_DATA", str(tiny))
    assert crossloom("compile", MODEL, *SYSTEM).code == 0


def test_inputs_are_normalised_for_calibration_and_for_answers(crossloom, tiny: Path) -> None:
    answer = crossloom("run", MODEL, *SYSTEM, "--data", tiny, "-o", "net", "--normalize", "1/2", "--limit", 5)
    assert answer.code == 0
    inputs = torch.from_numpy(np.load(tiny / "test.npz")["inputs"][:5])
    assert torch.equal(RunResult.load("net/result.xloom").inputs[0], (inputs - 1) / 2)


@pytest.mark.parametrize("batch", ["batch", 6])
def test_an_onnx_file_runs(crossloom, tiny: Path, batch: str | int) -> None:
    save_onnx(Path("net.onnx"), batch)
    answer = crossloom("run", "net.onnx", *SYSTEM, "--data", tiny, "--limit", 8)
    assert answer.code == 0
    assert Path("out/net/report.html").is_file()


def test_a_model_that_fixes_its_batch_gets_whole_batches(crossloom, tiny: Path) -> None:
    torch.export.save(torch.export.export(make_net(), (torch.randn(6, 8),)), "net.pt2")
    answer = crossloom("run", "net.pt2", *SYSTEM, "--data", tiny, "-o", "net")
    assert answer.code == 0
    assert answer.err == "note: the model fixes its batch at 6: answering 30 of 32\n"
    assert len(RunResult.load("net/result.xloom").inputs[0]) == 30


def test_an_exported_program_runs(crossloom, tiny: Path) -> None:
    dynamic = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(make_net(), (torch.randn(4, 8),), dynamic_shapes=dynamic)
    torch.export.save(program, "net.pt2")
    assert crossloom("compile", "net.pt2", *SYSTEM, "--data", tiny).code == 0


def save_onnx(path: Path, batch: str | int) -> None:
    """`make_net` as an ONNX file, built by hand."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    net = make_net()
    value, make = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    tensors = [
        onnx.numpy_helper.from_array(parameter.detach().numpy(), name)
        for name, parameter in net.named_parameters()
    ]
    nodes = [
        make("Gemm", ["x", "0.weight", "0.bias"], ["a"], name="first", transB=1),
        make("Relu", ["a"], ["b"], name="relu"),
        make("Gemm", ["b", "2.weight", "2.bias"], ["y"], name="second", transB=1),
    ]
    graph = onnx.helper.make_graph(
        nodes, "net", [value("x", 1, [batch, 8])], [value("y", 1, [batch, 3])], tensors
    )
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path
    )
