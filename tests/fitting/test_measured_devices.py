"""Fits of published measurements, where CROSSLOOM_DATA names a folder that holds them."""

import os
from pathlib import Path

import fit_measured_rram
import pytest

from crossloom.fitting import FitConfig, fit_device

uS = 1e-6


@pytest.fixture
def measured():
    if not os.environ.get("CROSSLOOM_DATA"):
        pytest.skip("CROSSLOOM_DATA is not set")
    folder = Path(os.environ["CROSSLOOM_DATA"]) / "device"
    if not (folder / "rram_relaxation_levy").is_dir():
        pytest.skip("CROSSLOOM_DATA holds no device/rram_relaxation_levy")
    return folder


@pytest.mark.slow
def test_relaxation_of_16000_measured_cells_grows_with_time_as_their_standard_deviation_does(
    measured, tmp_path
):
    file = fit_measured_rram.convert_relaxation(measured / "rram_relaxation_levy", tmp_path)
    fit = fit_device(file, FitConfig(degree=3))
    relaxation, names = fit.device.relaxation, list(fit.goodness)
    assert relaxation.times == pytest.approx((0.01, 0.1, 1.0, 3.44, 1e5), rel=0.02)
    middle = [spread.at(20 * uS) for spread in relaxation.spreads]
    assert middle == sorted(middle)
    # Plain standard deviations over all cells, computed apart from the fit: 2.05 uS at 1 s, 3.64 uS at 1e5 s.
    for name, known in (("relaxation at 1 s", 2.05 * uS), ("relaxation at 100 ks", 3.64 * uS)):
        points = fit.goodness[name].points
        total = sum(point.num_measurements for point in points)
        fitted = (sum(point.fitted**2 * point.num_measurements for point in points) / total) ** 0.5
        assert fitted == pytest.approx(known, rel=0.04)
    # Cells were verified to lie within a step of 1.25 uS: a spread of 1.25 / sqrt(12) uS, and no Gaussian
    error = fit.device.programming_error
    assert error.at(20 * uS) == pytest.approx(1.25 * uS / 12**0.5, rel=0.05)
    assert fit.goodness["programming error"].kolmogorov_smirnov_probability < 1e-4
    assert names[0] == "programming error"


@pytest.mark.slow
def test_write_verify_ends_within_its_ranges_but_for_a_few_cells(measured, tmp_path):
    folder = measured / "rram_radar_levy"
    if not folder.is_dir():
        pytest.skip("CROSSLOOM_DATA holds no device/rram_radar_levy")
    file, counts = fit_measured_rram.convert_write_verify(folder, "SDR", tmp_path)
    fit = fit_device(file, FitConfig(degree=1, with_outliers=True))
    # ranges of 170 +- 3.5 uS and 112 +- 5.0 uS: uniform within them, spreads would be 2.0 and 2.9 uS
    assert fit.device.programming_error.at(170 * uS) == pytest.approx(2.0 * uS, rel=0.15)
    assert fit.device.programming_error.at(112 * uS) == pytest.approx(2.9 * uS, rel=0.15)
    assert 0.001 < fit.parameter("measured.outlier_share of programming error").value < 0.006
    assert counts["success"] == pytest.approx(0.962, abs=0.001)
