"""Looked-after chips: measured, calibrated, and written again when due, at a cost that is told."""

import pytest

from crossloom.calibration import CalibrationConfig, measure_errors
from crossloom.errors import ConfigError
from crossloom.pipeline import MaintenanceReport, RefreshConfig, maintain, simulate
from crossloom.programming import DirectSet, WriteVerify, advance, program
from crossloom.spec import load_device, load_system
from flows import CELL, MACRO, normal, place_graph
from small_graphs import chain_graph

GRAPH, DATA = chain_graph(normal(10, 20, seed=1), normal(4, 10, seed=2)), normal(24, 20, seed=3)
HOUR, DAY = 3600.0, 86400.0
SMALL = {
    f"{MACRO}.crossbar.num_rows": 64,
    f"{MACRO}.crossbar.num_columns": 32,
    f"{MACRO}.readout": {"bits": 8},
}
SYSTEM = load_system("ideal", SMALL).with_cell(load_device("pcm_nandakumar").cell)
SCALE = CalibrationConfig(drift="layer", columns=False)


def programmed():
    return program(place_graph(GRAPH, DATA, SYSTEM), simulate(SYSTEM), DirectSet())


def test_cells_are_written_again_when_their_interval_is_over():
    chips = programmed()
    config = RefreshConfig(check_interval=DAY, interval=3 * DAY)
    kept, report = maintain(chips, 10 * DAY, DATA, config, DirectSet())
    assert [visit.is_refreshed for visit in report.visits] == [False, False, True] * 3 + [False]
    assert kept.elapsed == DAY
    assert report.num_cells == 3 * chips.report.num_cells
    assert all(visit.error_left < visit.error for visit in report.visits if visit.is_refreshed)
    assert measure_errors(kept, DATA).worst < measure_errors(advance(chips, 10 * DAY), DATA).worst


def test_cells_are_written_again_when_an_error_passes_its_bound():
    chips = programmed()
    bound = measure_errors(advance(chips, 1.5 * HOUR), DATA).worst
    config = RefreshConfig(check_interval=HOUR, bound=bound)
    _, report = maintain(chips, 6 * HOUR, DATA, config, DirectSet())
    for visit in report.visits:
        assert visit.is_refreshed == (visit.error > bound)
    assert 0 < report.num_refreshes < 6


def test_calibration_takes_the_place_of_writing():
    """One scale per layer, measured at every visit, holds an error that bare chips pass at once."""
    chips = programmed()
    bound = 0.5 * measure_errors(advance(chips, DAY), DATA).worst
    plain = RefreshConfig(check_interval=DAY, bound=bound)
    _, bare = maintain(chips, 4 * DAY, DATA, plain, DirectSet())
    kept, scaled = maintain(chips, 4 * DAY, DATA, plain.replace(calibration=SCALE), DirectSet())
    assert bare.num_refreshes == 4
    assert scaled.num_refreshes == scaled.num_cells == 0
    assert kept.corrections is not None
    assert scaled.worst_error < bound


def test_pulses_and_their_time_are_counted():
    system = load_system(
        "ideal",
        {
            **SMALL,
            f"{CELL}.g_min": 1e-6,
            f"{CELL}.pulse": {"width": 1e-7, "step": 5e-7, "max_width": 1e-5},
            f"{CELL}.device": {"kind": "gaussian", "programming_error": 2e-6},
        },
    )
    chips = program(place_graph(GRAPH, DATA, system), simulate(system), WriteVerify())
    config = RefreshConfig(check_interval=DAY, interval=DAY)
    _, report = maintain(chips, 2 * DAY, DATA, config)
    assert report.num_pulses == sum(visit.num_pulses for visit in report.visits) > 0
    assert 0 < report.num_cells < 2 * chips.report.num_cells
    assert report.write_time >= report.num_pulses * 1e-7 * (1 - 1e-6)
    assert report.energy is None
    assert f"{report.num_pulses:,} pulses" in report.summary()


def test_the_chips_that_were_given_stay_as_they_were():
    chips = programmed()
    before = measure_errors(chips, DATA)
    maintain(chips, DAY, DATA, RefreshConfig(check_interval=DAY, interval=DAY), DirectSet())
    assert measure_errors(chips, DATA) == before


def test_a_report_is_saved_and_loaded(tmp_path):
    _, report = maintain(programmed(), DAY, DATA, RefreshConfig(check_interval=DAY, bound=1.0), DirectSet())
    report.save(tmp_path / "report.xloom")
    assert MaintenanceReport.load(tmp_path / "report.xloom") == report


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"check_interval": 1.0}, "give interval, bound or calibration"),
        ({"check_interval": 0.0, "bound": 1.0}, "check_interval"),
        ({"bound": 1.0}, "check_interval is missing"),
    ],
)
def test_policies_that_do_nothing_are_refused(choice, message):
    with pytest.raises(ConfigError, match=message):
        RefreshConfig(**choice)


@pytest.mark.parametrize("duration", [10.0, -1.0, float("nan")])
def test_a_period_without_a_visit_is_refused(duration):
    with pytest.raises(ConfigError, match="duration >= check_interval"):
        maintain(programmed(), duration, DATA, RefreshConfig(check_interval=60.0, interval=60.0))
