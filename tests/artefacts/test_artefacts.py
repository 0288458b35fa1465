"""What was saved behaves as before once loaded; what was damaged is refused by name."""

import hashlib
import json
import struct

import pytest
import torch
from one_of_each import BEHAVIOUR, SYSTEM, artefact
from safetensors import safe_open
from safetensors.torch import save_file

from crossloom.artefacts import SCHEMA_VERSION, load_artefact
from crossloom.backends import MockBackend, SimulatedBackend
from crossloom.errors import ArtefactError, BackendError, CrossloomError
from crossloom.graph import Graph
from crossloom.placement import Placement
from crossloom.programming import ProgrammedChips, attach
from crossloom.runtime import LayerQuality, RunResult

KINDS = list(BEHAVIOUR)


@pytest.mark.parametrize("kind", KINDS)
def test_an_artefact_does_after_loading_what_it_did_before(kind, tmp_path):
    before = artefact(kind)
    before.save(tmp_path / "file")
    after = type(before).load(tmp_path / "file")
    assert after.summary() == before.summary()
    assert len(BEHAVIOUR[kind](before)) > 0
    for wanted, got in zip(BEHAVIOUR[kind](before), BEHAVIOUR[kind](after), strict=True):
        assert wanted.dtype == got.dtype
        assert torch.equal(wanted, got)


@pytest.mark.parametrize("kind", KINDS)
def test_saving_what_was_loaded_saves_the_same(kind, tmp_path):
    before = artefact(kind)
    before.save(tmp_path / "one")
    type(before).load(tmp_path / "one").save(str(tmp_path / "two"))
    manifests = []
    for name in ("one", "two"):
        with safe_open(tmp_path / name, framework="pt") as file:
            manifests.append(file.metadata())
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_refused_by_name(kind, tmp_path):
    path = tmp_path / "short.xloom"
    artefact(kind).save(path)
    whole = path.read_bytes()
    for length in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtefactError, match=r"short\.xloom"):
            type(artefact(kind)).load(path)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in ("Waterfall", "MaintenanceReport", "CostReport")]
)
def test_a_flipped_bit_in_a_tensor_is_refused_by_name(kind, tmp_path):
    path = tmp_path / "flipped.xloom"
    artefact(kind).save(path)
    content = bytearray(path.read_bytes())
    begins = 8 + struct.unpack("<Q", content[:8])[0]
    assert len(content) > begins
    for place in {begins, (begins + len(content)) // 2, len(content) - 1}:
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ArtefactError, match=r"flipped\.xloom: was altered"):
            type(artefact(kind)).load(path)


def test_no_flipped_bit_anywhere_gets_through(tmp_path):
    """Every byte of a small file, one bit of each; half of the header's bits are covered by turns."""
    path = tmp_path / "flipped.xloom"
    artefact("Waterfall").save(path)
    content = path.read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(ArtefactError, match=r"flipped\.xloom"):
            type(artefact("Waterfall")).load(path)


def rewritten(path, change, sign=True) -> None:
    """Change the manifest of a file as somebody with an editor would, and `sign` it with a new checksum."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    body = json.loads(metadata["crossloom"])
    change(body)
    metadata["crossloom"] = json.dumps(body)
    if sign:
        metadata["sha256"] = hashlib.sha256(metadata["crossloom"].encode()).hexdigest()
    save_file(tensors, path, metadata=metadata)


def test_an_edited_manifest_is_refused_by_name(tmp_path):
    path = tmp_path / "edited.xloom"
    artefact("Placement").save(path)
    rewritten(path, lambda body: body["value"]["fields"].update(area_bound=0), sign=False)
    with pytest.raises(ArtefactError, match=r"edited\.xloom: was altered: the manifest"):
        Placement.load(path)


def test_a_file_of_a_newer_schema_is_refused_with_both_versions(tmp_path):
    path = tmp_path / "newer.xloom"
    artefact("Graph").save(path)
    rewritten(path, lambda body: body.update(schema=SCHEMA_VERSION + 1))
    wanted = rf"newer\.xloom: .*newer crossloom \(schema {SCHEMA_VERSION + 1}.* {SCHEMA_VERSION}\); update"
    with pytest.raises(ArtefactError, match=wanted):
        Graph.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("kind"),
        lambda body: body.pop("sha256"),
        lambda body: body.pop("schema"),
        lambda body: body.update(schema=None),
        lambda body: body.update(sha256=[]),
        lambda body: body.update(value={"$type": "NoSuchClass", "fields": {}}),
        lambda body: body.update(value={"$type": "Graph", "fields": {"nodes": []}}),
        lambda body: body["value"]["fields"].update(colour="red"),
        lambda body: body.update(value={"$tensor": "t999"}),
        lambda body: body.update(value=[1, 2]),
        lambda body: body.update(value=None),
        lambda body: body["sha256"].clear(),
    ],
)
def test_a_signed_file_that_makes_no_sense_is_refused_by_name(change, tmp_path):
    path = tmp_path / "strange.xloom"
    artefact("Graph").save(path)
    rewritten(path, change)
    with pytest.raises(ArtefactError, match=r"strange\.xloom"):
        Graph.load(path)


def test_a_system_inside_a_file_is_checked_like_any_other(tmp_path):
    path = tmp_path / "odd.xloom"
    artefact("Placement").save(path)
    rewritten(path, lambda body: body["value"]["fields"]["system"]["fields"].update(num_chips=0))
    with pytest.raises(ArtefactError, match=r"odd\.xloom: SystemSpec: num_chips"):
        Placement.load(path)


def test_a_file_of_another_kind_is_refused_with_what_it_is(tmp_path):
    artefact("Graph").save(tmp_path / "graph")
    with pytest.raises(
        ArtefactError, match=r"graph: holds a Graph, not a Placement; load it with Graph\.load"
    ):
        Placement.load(tmp_path / "graph")


def test_a_file_of_any_of_several_kinds_is_found(tmp_path):
    for kind in ("Graph", "Placement", "RunResult"):
        artefact(kind).save(tmp_path / kind)
    kinds = (Placement, Graph)
    assert isinstance(load_artefact(tmp_path / "Graph", kinds), Graph)
    assert isinstance(load_artefact(tmp_path / "Placement", kinds), Placement)
    with pytest.raises(ArtefactError, match="RunResult: holds a RunResult; wanted a Placement or Graph"):
        load_artefact(tmp_path / "RunResult", kinds)


def test_a_missing_file_is_refused_by_name(tmp_path):
    for ask in (Graph.load, lambda path: load_artefact(path, (Graph,))):
        with pytest.raises(ArtefactError, match=r"missing\.xloom: there is no such file"):
            ask(tmp_path / "missing.xloom")
    with pytest.raises(ArtefactError, match="no such file"):
        Graph.load(tmp_path)


def test_files_of_other_makers_are_refused(tmp_path):
    path = tmp_path / "other"
    save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(ArtefactError, match="no file of crossloom's"):
        Graph.load(path)
    torch.save({"w": torch.zeros(2)}, path)
    with pytest.raises(ArtefactError, match="other"):
        Graph.load(path)


def test_nothing_is_ever_pickled(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("pickle was used")

    for module in ("pickle", "_pickle"):
        for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
            monkeypatch.setattr(f"{module}.{name}", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(torch, "save", refuse)
    for kind in KINDS:
        artefact(kind).save(tmp_path / kind)
        type(artefact(kind)).load(tmp_path / kind)


def test_a_save_that_cannot_be_is_an_error_of_our_own_and_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "plain").write_text("text")
    for path in (tmp_path / "folder", tmp_path / "plain" / "file"):
        with pytest.raises(ArtefactError, match=path.name):
            artefact("Waterfall").save(path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "plain"]
    assert (tmp_path / "plain").read_text() == "text"


def test_saving_makes_the_folders_on_the_way(tmp_path):
    artefact("Waterfall").save(tmp_path / "a" / "b" / "file")
    assert (tmp_path / "a" / "b" / "file").is_file()


def test_chips_that_are_not_in_memory_cannot_be_saved(tmp_path):
    chips = attach(artefact("Placement"), MockBackend(SYSTEM))
    with pytest.raises(BackendError, match="MockBackend cannot be saved"):
        chips.save(tmp_path / "chips")
    assert not list(tmp_path.iterdir())


def test_chips_keep_what_they_are_beyond_their_cells(tmp_path):
    """Quiet chips stay quiet, and a macro that nobody touched yet comes out the same."""
    chips = artefact("ProgrammedChips")
    quiet = ProgrammedChips(chips.placement, chips.backend.quiet(), chips.report)
    quiet.save(tmp_path / "quiet")
    loaded = ProgrammedChips.load(tmp_path / "quiet")
    for wanted, got in zip(
        BEHAVIOUR["ProgrammedChips"](quiet), BEHAVIOUR["ProgrammedChips"](loaded), strict=True
    ):
        assert torch.equal(wanted, got)
    assert isinstance(loaded.backend, SimulatedBackend)
    assert loaded.backend.to_state().macros.keys() == chips.backend.to_state().macros.keys()


def test_figures_that_are_not_finite_are_kept(tmp_path):
    result = artefact("RunResult")
    odd = RunResult(
        torch.tensor([float("inf"), float("nan")]),
        result.inputs,
        result.counts,
        (LayerQuality("layer", float("inf"), float("-inf")), LayerQuality("layer", 1.0, float("nan"))),
        result.modes,
        0,
    )
    odd.save(tmp_path / "odd")
    quality = RunResult.load(tmp_path / "odd").quality
    assert (quality[0].signal_power, quality[0].error_power) == (float("inf"), float("-inf"))
    assert quality[1].error_power != quality[1].error_power


def test_loaded_tensors_are_not_shared_with_the_file(tmp_path):
    artefact("Graph").save(tmp_path / "graph")
    graph = Graph.load(tmp_path / "graph")
    before = graph.tensors["w1"].clone()
    artefact("Waterfall").save(tmp_path / "graph")
    assert torch.equal(graph.tensors["w1"], before)


def test_all_refusals_are_of_crossloom():
    assert issubclass(ArtefactError, CrossloomError)
