"""Device specifications refuse what cannot be, and say what to do."""

import pytest

from crossloom.errors import SpecError
from crossloom.spec import (
    ClippedLogarithmSpec,
    DriftSpec,
    GaussianDeviceSpec,
    ReadDisturbSpec,
    SaturatingSpreadSpec,
    SpreadSpec,
    TabulatedRelaxationSpec,
    TelegraphNoiseSpec,
    TemperatureSpec,
)

LINE = {"slope": -0.01, "intercept": 0.02, "low": 0.0, "high": 0.1}


def test_a_saturating_spread_rises_from_zero_and_levels_off():
    spread = SaturatingSpreadSpec(amplitude=2e-7, scale=1e-6)
    assert spread.at(0.0) == 0
    assert spread.at(1e-6) == pytest.approx(2e-7 * 0.6321205588)
    assert spread.at(1e-3) == pytest.approx(2e-7)
    assert not spread.is_zero
    assert SaturatingSpreadSpec(amplitude=0, scale=1).is_zero


def test_a_spread_is_told_by_its_fields():
    device = GaussianDeviceSpec(
        programming_error={"amplitude": 1e-7, "scale": 1e-6}, read_noise={"coefficients": [1e-7]}
    )
    assert isinstance(device.programming_error, SaturatingSpreadSpec)
    assert isinstance(device.read_noise, SpreadSpec)


def test_only_a_spread_without_a_slope_is_constant():
    assert SpreadSpec(coefficients=(1e-6, 0.0)).is_constant
    assert not SpreadSpec(coefficients=(1e-6, 1e-2)).is_constant


def test_what_takes_time_goes_as_arrhenius_says():
    assert TemperatureSpec(operating=358.15, activation_energy=1.6e-19).acceleration > 500
    assert TemperatureSpec(operating=250, activation_energy=1.6e-19).acceleration < 1
    assert TemperatureSpec(operating=400).acceleration == 1
    assert TemperatureSpec(operating=1000, coefficient=-1e-2).factor == 0


def test_occupancy_and_rate_of_a_trap_follow_from_its_times():
    noise = TelegraphNoiseSpec(amplitude=0.1, capture_time=3.0, emission_time=1.0)
    assert noise.occupancy == 0.25
    assert noise.rate == pytest.approx(4 / 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: TabulatedRelaxationSpec(times=(1.0, 2.0), spreads=(1e-6,)),
            "one of spreads per time, got 1 for 2",
        ),
        (
            lambda: TabulatedRelaxationSpec(times=(1.0,), spreads=(0,), shifts=(0.0, 1.0)),
            "one of shifts per time",
        ),
        (lambda: TabulatedRelaxationSpec(times=(2.0, 2.0), spreads=(0, 0)), "times that grow"),
        (lambda: TabulatedRelaxationSpec(times=(), spreads=()), "at least 1"),
        (lambda: TabulatedRelaxationSpec(times=(0.0,), spreads=(0,)), "greater than 0"),
        (lambda: ClippedLogarithmSpec(slope=1, intercept=0, low=2, high=1), "low <= high, got 2.0 and 1.0"),
        (
            lambda: DriftSpec(mean=LINE, spread={**LINE, "low": -0.1}, reference_time=1, scale=1),
            r"spread\.low >= 0",
        ),
        (lambda: DriftSpec(mean=LINE, spread=LINE, reference_time=0, scale=1), "greater than 0"),
        (
            lambda: TelegraphNoiseSpec(amplitude=1.5, capture_time=1, emission_time=1),
            "less than or equal to 1",
        ),
        (lambda: ReadDisturbSpec(), "voltage is missing"),
        (lambda: TemperatureSpec(operating=-3), "greater than 0"),
        (lambda: TemperatureSpec(operating=float("nan")), "finite"),
        (lambda: GaussianDeviceSpec(drift={"mu": 1}), r"drift\.mu is no field here; known: mean"),
        (lambda: GaussianDeviceSpec(relaxation={"kind": "linear"}), "'logarithmic', 'tabulated'"),
        (lambda: GaussianDeviceSpec(read_noise={"kind": "cubic"}), "'polynomial', 'saturating'"),
        (lambda: GaussianDeviceSpec(read_noise={"amplitude": -1, "scale": 1}), "greater than or equal to 0"),
        (lambda: GaussianDeviceSpec(temprature=None), "did you mean temperature"),
    ],
)
def test_impossible_values_are_refused(make, message):
    with pytest.raises(SpecError, match=message):
        make()
