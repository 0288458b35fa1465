"""Every device model that ships keeps the laws of the public suite."""

import pytest

from crossloom.devices import GaussianDevice, IdealDevice, make_device
from crossloom.spec import (
    CellSpec,
    GaussianDeviceSpec,
    IdealDeviceSpec,
    PulseSpec,
    list_devices,
    load_device,
    load_system,
)
from crossloom.testing import DeviceModelSuite
from crossloom.units import eV

PULSE = PulseSpec(width=1e-7, step=5e-7, max_width=1e-5)
DRIFT = {
    "mean": {"slope": -0.0155, "intercept": 0.0244, "low": 0.049, "high": 0.1},
    "spread": {"slope": -0.0125, "intercept": -0.0059, "low": 0.008, "high": 0.045},
    "reference_time": 20.0,
    "scale": 4e-5,
}
FLICKER = {"coefficient": 0.0088, "exponent": 0.65, "limit": 0.2, "read_time": 250e-9, "scale": 4e-5}
EFFECTS = {
    "relaxation": {"kind": "logarithmic", "shift_slope": -1e-7, "spread_slope": 4e-8, "spread": 4e-7},
    "drift": DRIFT,
    "flicker_noise": FLICKER,
    "thermal_noise": {"bandwidth": 1e8, "voltage": 0.2},
    "telegraph_noise": {"amplitude": 0.1, "capture_time": 2.0, "emission_time": 0.5, "affected": 0.5},
    "read_disturb": {"voltage": 0.2},
    "endurance": {"life": 1e6, "window_life": 1e6},
    "temperature": {"operating": 330.0, "activation_energy": 0.6 * eV, "coefficient": 1e-3},
}


def gaussian(**fields) -> GaussianDevice:
    spec = GaussianDeviceSpec(**fields)
    return GaussianDevice(spec, CellSpec(g_min=1e-6, g_max=4e-5, pulse=PULSE, device=spec))


class TestIdealDevice(DeviceModelSuite):
    def make(self):
        return IdealDevice(IdealDeviceSpec(), CellSpec(g_min=1e-6, g_max=4e-5, pulse=PULSE))


class TestIdealDeviceWithoutPulses(DeviceModelSuite):
    def make(self):
        return IdealDevice(IdealDeviceSpec(), CellSpec(g_min=0, g_max=1e-4))


class TestGaussianDeviceOfErrorsNoiseVariationAndFaults(DeviceModelSuite):
    def make(self):
        return gaussian(
            programming_error={"coefficients": (1e-6, 2e-2)},
            read_noise={"coefficients": (2e-7, 1e-2)},
            variation=0.05,
            stuck_low=0.02,
            stuck_high=0.03,
        )


class TestGaussianDeviceOfNothing(DeviceModelSuite):
    def make(self):
        return gaussian(pulse_spread=0.0)


class TestGaussianDeviceWithEveryEffect(DeviceModelSuite):
    def make(self):
        errors = {"programming_error": {"coefficients": (1e-6, 2e-2)}, "read_noise": 2e-7}
        return gaussian(**errors, **EFFECTS, variation=0.02, stuck_low=0.02, stuck_high=0.03)


class TestCellsOfTheFirstChip(DeviceModelSuite):
    def make(self):
        return make_device(load_system("tsinghua_c200").macro.cell)


class TestCellsOfNeurram(DeviceModelSuite):
    def make(self):
        return make_device(load_system("neurram").macro.cell)


@pytest.fixture(params=[*EFFECTS, *list_devices()])
def subject(request):
    """One effect alone, or a published device."""
    return request.param


class TestEachEffectAloneAndEachPublishedDevice(DeviceModelSuite):
    shape = (60, 60)

    @pytest.fixture(autouse=True)
    def _choose(self, subject):
        self.subject = subject

    def make(self):
        if self.subject in EFFECTS:
            return gaussian(**{self.subject: EFFECTS[self.subject]})
        return make_device(load_device(self.subject).cell)
