"""What is fitted from which columns, and what is said of it."""

import pytest
import torch
from measurements import normal, uniform, uS, write, write_errors, write_pulses, write_reads

import crossloom as xl
from crossloom.devices import make_device, read
from crossloom.errors import DataError
from crossloom.fitting import FitConfig, fit_device
from crossloom.spec import CellSpec


def holds(fit, name, truth):
    parameter = fit.parameter(name)
    return abs(parameter.value - truth) < 4 * parameter.error  # 4 standard errors: 1 of 16,000 by chance


def test_a_known_device_comes_back_from_its_own_measurements(tmp_path):
    # 1,500 cells, three reads at each of three times, of the device model itself; seed 0, 4 standard errors
    cell = CellSpec(
        g_min=2 * uS,
        g_max=40 * uS,
        device={
            "kind": "gaussian",
            "read_noise": {"coefficients": [0.1 * uS, 0.3 * uS], "scale": 40 * uS},
            "programming_error": {"coefficients": [0.5 * uS, 1.0 * uS], "scale": 40 * uS},
            "relaxation": {
                "kind": "tabulated",
                "times": [1.0, 100.0],
                "spreads": [0.4 * uS, 1.2 * uS],
                "shifts": [-0.1 * uS, -0.6 * uS],
            },
        },
    )
    model, generator = make_device(cell), torch.Generator().manual_seed(0)
    target = uniform(generator, 6 * uS, 36 * uS, 1, 1500)
    state = model.set(model.deliver((1, 1500), generator, generator), target, generator)
    taken = []
    for wait in (0.0, 1.0, 99.0):
        state = model.relax(state, wait, generator)
        taken += [read(model, state, generator) for _ in range(3)]
    found = torch.stack(taken).reshape(9, 1500)
    elapsed = torch.tensor([0.0, 1.0, 100.0]).repeat_interleave(3)[:, None].expand_as(found)
    file = write(
        tmp_path / "known.csv",
        cell=torch.arange(1500).expand_as(found),
        read=torch.arange(3).repeat(3)[:, None].expand_as(found),
        target_S=target.expand_as(found),
        elapsed_s=elapsed,
        conductance_S=found,
    )
    fit = fit_device(file, FitConfig(degree=1))
    share = fit.g_max / (40 * uS)
    truth = {
        "device.read_noise.coefficients[0]": 0.1 * uS,
        "device.read_noise.coefficients[1]": 0.3 * uS * share,
        "measured.programming_shift": 0.0,
        "device.programming_error.coefficients[0]": 0.5 * uS,
        "device.programming_error.coefficients[1]": 1.0 * uS * share,
        "device.relaxation.shifts[0]": -0.1 * uS,
        "device.relaxation.spreads[0].coefficients[0]": 0.4 * uS,
        "device.relaxation.spreads[0].coefficients[1]": 0.0,
        "device.relaxation.shifts[1]": -0.6 * uS,
        "device.relaxation.spreads[1].coefficients[0]": 1.2 * uS,
        "device.relaxation.spreads[1].coefficients[1]": 0.0,
    }
    assert {parameter.name for parameter in fit.parameters} == set(truth)
    assert [name for name, value in truth.items() if not holds(fit, name, value)] == []
    assert fit.device.relaxation.times == (1.0, 100.0)
    assert not fit.device.relaxation.is_total
    assert all(goodness.chi_square_probability > 1e-3 for goodness in fit.goodness.values())
    assert all(goodness.kolmogorov_smirnov_probability > 1e-3 for goodness in fit.goodness.values())


def test_times_without_a_zero_give_whole_errors(tmp_path):
    generator = torch.Generator().manual_seed(1)
    target = uniform(generator, 5.0, 40.0, 2000).repeat(2, 1)
    elapsed = torch.tensor([[1.0], [1000.0]]) * uniform(generator, 0.95, 1.05, 2, 2000)
    spread = torch.tensor([[1.0], [2.0]])
    found = target + spread * normal(generator, 2, 2000)
    file = write(tmp_path / "late.csv", target_uS=target, elapsed_s=elapsed, conductance_uS=found)
    fit = fit_device(file, FitConfig(degree=0))
    assert fit.device.relaxation.is_total
    assert fit.device.relaxation.times == pytest.approx((1.0, 1000.0), rel=0.01)
    assert fit.device.programming_error == fit.device.relaxation.spreads[0]
    assert holds(fit, "device.relaxation.spreads[1].coefficients[0]", 2.0 * uS)


@pytest.mark.parametrize("over_time", ["tabulated", "logarithmic"])
def test_relaxation_without_targets_is_what_changes_after_time_zero(tmp_path, over_time):
    generator = torch.Generator().manual_seed(2)
    start, times = (
        uniform(generator, 10.0, 40.0, 1000),
        torch.tensor([0.0, 1.0, 10.0, 100.0, 1000.0])[:, None],
    )
    grown = times.clamp(min=1).log()
    found = start + (times > 0) * (-0.1 * grown + (0.2 * grown + 0.5) * normal(generator, 1000))
    cell = torch.arange(1000).expand_as(found)
    file = write(tmp_path / "aging.csv", cell=cell, elapsed_s=times.expand_as(found), conductance_uS=found)
    fit = fit_device(file, FitConfig(degree=0, over_time=over_time))
    assert fit.device.programming_error is None
    if over_time == "logarithmic":
        assert holds(fit, "device.relaxation.shift_slope", -0.1 * uS)
        assert holds(fit, "device.relaxation.spread_slope", 0.2 * uS)
        assert holds(fit, "device.relaxation.spread", 0.5 * uS)
    else:
        assert holds(fit, "device.relaxation.shifts[3]", -0.1 * 6.908 * uS)
        assert holds(fit, "device.relaxation.spreads[3].coefficients[0]", (0.2 * 6.908 + 0.5) * uS)


def test_drift_exponents_come_back_with_their_spread(tmp_path):
    generator = torch.Generator().manual_seed(3)
    times = torch.tensor([20.0, 100.0, 1000.0, 10_000.0, 100_000.0])[:, None]
    target = uniform(generator, 2.0, 20.0, 800)
    exponent = 0.05 - 0.01 * (target / 20).log() + 0.008 * normal(generator, 800)
    found = target * (times / 20) ** -exponent * (1 + 0.01 * normal(generator, 5, 800))
    file = write(
        tmp_path / "pcm.csv",
        cell=torch.arange(800).expand_as(found),
        target_uS=target.expand_as(found),
        elapsed_s=times.expand_as(found),
        conductance_uS=found,
    )
    fit = fit_device(file, FitConfig(degree=1, over_time="drift"))
    drift = fit.device.drift
    assert drift.reference_time == 20.0
    for share in (0.2, 0.9):
        true = 0.05 - 0.01 * torch.tensor(share).log().item()
        x = share * 20 * uS / drift.scale
        assert drift.mean.at(x) == pytest.approx(true, abs=4 * 0.008 / 800**0.5 * 2)
    assert holds(fit, "device.drift.spread.intercept", 0.008)


def test_pulses_say_step_spread_and_voltage_and_read_noise_is_taken_out(tmp_path):
    generator = torch.Generator().manual_seed(4)
    pulses = write_pulses(tmp_path / "pulses.csv", generator, 4000, noise=0.2)
    reads = write_reads(tmp_path / "reads.csv", generator, 300, 10, lambda g: 0 * g + 0.2)
    fit = fit_device([pulses, reads], FitConfig(degree=0))
    assert holds(fit, "pulse.step", 1.0 * uS)
    assert holds(fit, "device.pulse_spread", 0.3)
    assert holds(fit, "pulse.voltage_scale", 0.2)
    assert (fit.pulse.width, fit.pulse.max_width) == pytest.approx((100e-9, 200e-9))
    assert (fit.pulse.voltage, fit.pulse.max_voltage) == (1.5, 1.6)
    assert fit.device.pulse_spread == fit.parameter("device.pulse_spread").value


def test_the_noise_of_reads_around_pulses_is_fitted_where_it_is_not_known(tmp_path):
    generator = torch.Generator().manual_seed(5)
    fit = fit_device(write_pulses(tmp_path / "pulses.csv", generator, 4000, noise=0.2))
    assert holds(fit, "measured.read_noise of pulses", 0.2 * uS)
    assert holds(fit, "device.pulse_spread", 0.3)
    assert any("noise of a read is fitted" in note for note in fit.notes)


def test_pulses_that_weaken_towards_the_end_of_the_window_are_noted(tmp_path):
    generator = torch.Generator().manual_seed(6)
    even = fit_device(write_pulses(tmp_path / "even.csv", generator, 3000, noise=0.1))
    soft = fit_device(write_pulses(tmp_path / "soft.csv", generator, 3000, noise=0.1, soft=0.05))
    assert any("pulses do less the higher" in note for note in soft.notes)
    assert not any("the higher the conductance" in note for note in even.notes)


def test_outliers_are_noted_and_can_be_fitted_apart(tmp_path):
    generator = torch.Generator().manual_seed(7)
    target = uniform(generator, 5.0, 40.0, 4000)
    found = target + 0.5 * normal(generator, 4000)
    found[:80] = uniform(generator, 0.0, 45.0, 80)
    file = write(tmp_path / "stuck.csv", target_uS=target, conductance_uS=found)
    plain = fit_device(file, FitConfig(degree=0))
    apart = fit_device(file, FitConfig(degree=0, with_outliers=True))
    assert plain.device.programming_error.coefficients[0] > 1.5 * uS
    assert any("beyond 4 sigma" in note for note in plain.notes)
    assert holds(apart, "device.programming_error.coefficients[0]", 0.5 * uS)
    assert holds(apart, "measured.outlier_share of programming error", 0.02)
    assert not any("beyond 4 sigma" in note for note in apart.notes)


def test_a_file_without_outliers_has_none_fitted(tmp_path):
    file = write_errors(tmp_path / "clean.csv", torch.Generator().manual_seed(8), 1000, lambda g: 0.5 + 0 * g)
    fit = fit_device(file, FitConfig(degree=0, with_outliers=True))
    assert [parameter.name for parameter in fit.parameters] == [
        "measured.programming_shift",
        "device.programming_error.coefficients[0]",
    ]


def test_a_spread_of_too_low_a_degree_is_found_out(tmp_path):
    file = write_errors(
        tmp_path / "steep.csv", torch.Generator().manual_seed(9), 3000, lambda g: 0.2 + g / 20
    )
    wrong = fit_device(file, FitConfig(degree=0)).goodness["programming error"]
    right = fit_device(file, FitConfig(degree=1)).goodness["programming error"]
    assert wrong.chi_square_probability < 1e-6
    assert wrong.kolmogorov_smirnov_probability < 1e-3
    assert wrong.r_squared < 0.1
    assert right.chi_square_probability > 1e-3
    assert right.r_squared > 0.9
    assert right.log_likelihood > wrong.log_likelihood + 100


def test_what_measurements_do_not_determine_is_noted(tmp_path):
    generator = torch.Generator().manual_seed(10)
    target = torch.tensor([10.0, 20.0], dtype=torch.float64).repeat(300)
    found = target + 1.0 + normal(generator, 600)
    file = write(tmp_path / "two.csv", target_uS=target, elapsed_s=0 * target, conductance_uS=found)
    notes = "\n".join(fit_device(file).notes)
    assert "no cell was read twice" in notes
    assert "its spread has degree 1, not 2: measured at 2 conductances" in notes
    assert "beside their targets on average" in notes
    assert "all cells were measured at one time" in notes


def test_reads_that_follow_one_another_closely_are_noted(tmp_path):
    generator = torch.Generator().manual_seed(11)
    level = uniform(generator, 10.0, 40.0, 30, 1)
    wander = normal(generator, 30, 200).cumsum(1) * 0.05
    cell = torch.arange(30)[:, None].expand(30, 200)
    fit = fit_device(write(tmp_path / "wander.csv", cell=cell, conductance_uS=level + wander + 5))
    assert any("successive reads of a cell are alike" in note for note in fit.notes)
    steady = fit_device(write_reads(tmp_path / "steady.csv", generator, 30, 200, lambda g: 0.1 + 0 * g))
    assert not any("successive reads" in note for note in steady.notes)


def test_times_without_gaps_are_refused_for_a_table(tmp_path):
    generator = torch.Generator().manual_seed(12)
    elapsed = torch.logspace(0, 5, 400)
    target = torch.full((400,), 20.0)
    found = 20 + normal(generator, 400)
    file = write(tmp_path / "even.csv", target_uS=target, elapsed_s=elapsed, conductance_uS=found)
    with pytest.raises(DataError, match=r"follow one another without a gap.*over_time='logarithmic'"):
        fit_device(file)


def test_two_files_that_say_the_same_are_refused(tmp_path):
    generator = torch.Generator().manual_seed(13)
    files = [write_errors(tmp_path / name, generator, 50, lambda g: 1 + 0 * g) for name in ("a.csv", "b.csv")]
    with pytest.raises(DataError, match=r"a\.csv and b\.csv both hold errors of programming"):
        fit_device(files)


def test_a_fit_is_saved_and_loaded_and_its_cell_can_be_simulated(tmp_path):
    file = write_errors(tmp_path / "mine.csv", torch.Generator().manual_seed(14), 500, lambda g: 0.2 + g / 40)
    fit = xl.fit_device(file)
    fit.save(tmp_path / "fit.xloom")
    assert xl.DeviceFit.load(tmp_path / "fit.xloom") == fit
    system = xl.load_system("ideal")
    crossbar = system.macro.crossbar.replace(cell=fit.cell)
    mine = system.with_macro(system.macro.replace(crossbar=crossbar))
    assert make_device(mine.macro.crossbar.cell).spec == fit.device
    summary = fit.summary()
    assert "programming error: 500 rows of 500 cells" in summary
    assert "device.programming_error.coefficients[1]" in summary
    with pytest.raises(DataError, match=r"did you mean device\.programming_error"):
        fit.parameter("device.programing_error.coefficients[0]")
