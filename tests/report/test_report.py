import json
from dataclasses import replace

import pytest
import torch

import crossloom as xl
from crossloom import ConfigError, DataError, Report
from crossloom.artefacts import atomic_path
from crossloom.mapping import coverage, share_in_memory


def make(flow, **changes):
    parts = {"placement": flow.placement, "chips": flow.chips, "result": flow.result, "labels": flow.labels}
    return Report(**(parts | changes))


def test_the_facts_are_plain_and_survive_json(report):
    facts = report.to_json()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert {"system", "model", "placement", "waterfall", "layers", "coverage", "macros", "notes"} <= set(
        facts
    )
    assert {"programming", "schedule", "counts", "origin"} <= set(facts)


def test_figures_equal_those_of_the_artefacts(flow, report):
    facts, placement = report.to_json(), flow.placement
    assert facts["placement"]["utilization"] == placement.utilization
    assert facts["placement"]["area_bound"] == placement.area_bound
    assert facts["placement"]["num_macros"] == len(placement.macros) == len(facts["macros"])
    assert facts["model"]["num_cells"] == placement.mapped.num_cells
    assert facts["programming"]["error_std"] == flow.chips.report.error_std
    assert facts["programming"]["num_pulses"] == flow.chips.report.num_pulses
    assert facts["counts"]["total"]["num_mvms"] == flow.result.total.num_mvms
    assert len(facts["schedule"]) == len(placement.schedule)
    assert facts["coverage"]["share_in_memory"] == share_in_memory(coverage(placement.mapped))


def test_the_macros_hold_every_tile_once_and_as_many_cells_as_they_say(flow, report):
    facts = report.to_json()
    tiles = [tile for macro in facts["macros"] for tile in macro["tiles"]]
    assert sorted(tile["tile"] for tile in tiles) == list(range(len(flow.placement.sites)))
    cells = facts["system"]["num_rows"] * facts["system"]["num_columns"]
    taken = sum(tile["num_rows"] * tile["num_columns"] for tile in tiles)
    assert sum(macro["utilization"] for macro in facts["macros"]) == pytest.approx(taken / cells)
    assert all(macro["forbidden"] for macro in facts["macros"])


def test_every_histogram_counts_every_cell(report):
    programming = report.to_json()["programming"]
    cells = programming["num_cells"]
    assert sum(programming["conductance"]["measured"]) == cells
    assert sum(programming["conductance"]["targets"]) == cells
    assert sum(programming["error"]["counts"]) == cells
    assert sum(programming["pulses"]["counts"]) == cells
    assert sum(level["num_cells"] for level in programming["levels"]) == cells


def test_layers_carry_their_quality_and_shares_add_up(flow, report):
    layers = {row["name"]: row for row in report.to_json()["layers"]}
    assert sum(row["macs_share"] for row in layers.values()) == pytest.approx(1)
    for quality in flow.result.quality:
        assert layers[quality.layer]["snr_db"] == quality.snr_db
        assert layers[quality.layer]["clipping_rate"] == quality.clipping_rate
        assert layers[quality.layer]["adc_use"] == quality.adc_use
    assert layers["scores"]["runs"] == "integer"
    assert layers["scores"]["integration_time"] is None


def test_drops_of_the_waterfall_add_up_to_what_was_lost(report):
    stations = report.to_json()["waterfall"]["stations"]
    lost = sum(station["drop"] for station in stations[1:])
    assert lost == pytest.approx(stations[0]["accuracy"] - stations[-1]["accuracy"])


def test_without_labels_the_waterfall_shows_agreement_with_float(flow):
    waterfall = make(flow, labels=None).to_json()["waterfall"]
    assert waterfall["measure"] == "agreement"
    assert waterfall["stations"][0]["agreement"] == 1


def test_a_waterfall_that_is_given_is_not_computed_again(flow, report):
    given = replace(report.waterfall, num_samples=999)
    assert make(flow, waterfall=given).to_json()["waterfall"]["num_samples"] == 999


def test_layers_that_stay_digital_are_noted(report):
    assert any(
        "kept digital by configuration" in note and "scores" in note for note in report.to_json()["notes"]
    )


def test_chips_that_were_not_programmed_are_noted_and_leave_their_pictures_out(flow):
    chips = xl.attach(flow.placement, xl.simulate(flow.placement.system, seed=1))
    report = make(flow, chips=chips, result=xl.run(chips, flow.result.inputs))
    facts, page = report.to_json(), report.to_html()
    assert any("not programmed" in note for note in facts["notes"])
    assert facts["programming"] is None
    assert 'data-figure="conductance"' not in page
    assert "not programmed by this flow" in page
    assert "not programmed by this flow" in report.summary()


def test_a_nonideality_without_effect_is_noted(flow):
    system = flow.placement.system
    cell = system.macro.cell.replace(device={"kind": "gaussian", "read_noise": 1e-18})
    quiet = system.with_macro(system.macro.replace(crossbar=system.macro.crossbar.replace(cell=cell)))
    placement = replace(
        flow.placement, system=quiet, mapped=replace(flow.placement.mapped, macro=quiet.macro)
    )
    chips = xl.program(placement, xl.simulate(quiet))
    report = make(flow, placement=placement, chips=chips, result=xl.run(chips, flow.result.inputs))
    assert any("read_noise" in note and "no answer" in note for note in report.to_json()["notes"])
    assert "read_noise is switched on" in report.to_html()


def test_a_run_without_probe_says_that_quality_is_unknown(flow):
    report = make(flow, result=xl.run(flow.chips, flow.result.inputs, probe_samples=0))
    assert any("probe_samples" in note for note in report.to_json()["notes"])
    assert 'data-figure="layers"' not in report.to_html()


def test_on_ideal_hardware_layers_are_exact(flow):
    system = xl.load_system("ideal")
    graph = flow.placement.mapped.quantized.graph
    placement = xl.compile(graph, system, flow.result.inputs[0])
    chips = xl.program(placement, xl.simulate(system))
    report = make(flow, placement=placement, chips=chips, result=xl.run(chips, flow.result.inputs))
    assert all(row["is_exact"] and row["snr_db"] is None for row in report.to_json()["layers"])
    assert "exact" in report.to_html()
    assert "exact" in report.summary()


@pytest.mark.parametrize("number", [11, 13])
def test_labels_of_the_wrong_length_are_refused(flow, number):
    with pytest.raises(DataError, match=f"12 samples, got {number}"):
        make(flow, labels=torch.zeros(number, dtype=torch.long))


@pytest.mark.parametrize(
    "labels",
    [
        [0.5] * 12,
        [True] * 12,
        torch.zeros(12, 1, dtype=torch.long),
        ["cat"] * 12,
        3,
        [0] * 11 + [5],
        [-1] * 12,
    ],
)
def test_labels_that_are_no_class_numbers_are_refused(flow, labels):
    with pytest.raises(DataError, match="labels: need"):
        make(flow, labels=labels)


def test_a_list_of_labels_is_as_good_as_a_tensor(flow, report):
    assert make(flow, labels=flow.labels.tolist()).to_json()["waterfall"] == report.to_json()["waterfall"]


def test_a_result_that_was_stopped_early_is_refused(flow):
    with pytest.raises(ConfigError, match="stop_at"):
        make(flow, result=xl.run(flow.chips, flow.result.inputs, stop_at="hidden"))


def test_another_placement_than_that_of_the_chips_is_refused(flow):
    other = replace(flow.placement, sites=tuple(reversed(flow.placement.sites)))
    with pytest.raises(ConfigError, match="another placement"):
        make(flow, placement=other)


def test_a_result_in_the_place_of_chips_is_refused(flow):
    with pytest.raises(ConfigError, match="got a RunResult where a ProgrammedChips belongs"):
        make(flow, chips=flow.result)


def test_a_suffix_that_is_not_known_is_refused_before_any_work(flow, tmp_path):
    with pytest.raises(ConfigError, match=r"\.html.*got 'report\.pdf'"):
        make(flow).save(tmp_path / "report.pdf")
    assert not list(tmp_path.iterdir())


def test_all_three_kinds_are_saved(report, tmp_path):
    for suffix in ("html", "json", "txt"):
        report.save(tmp_path / f"report.{suffix}")
    assert (tmp_path / "report.html").read_text("utf-8") == report.to_html()
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == report.to_json()
    assert (tmp_path / "report.txt").read_text("utf-8") == report.summary()


def test_a_save_that_fails_leaves_the_old_file_whole_and_no_partial_one(report, tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_text("old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("crossloom.artefacts.atomic.os.replace", fail)
    with pytest.raises(OSError, match="disk full"), atomic_path(path):
        pass
    with pytest.raises(OSError, match="disk full"):
        report.save(path)
    assert [item.name for item in tmp_path.iterdir()] == ["report.json"]
    assert path.read_text() == "old"
