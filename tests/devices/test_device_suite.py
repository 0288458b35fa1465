"""Every device model that ships keeps the laws of the public suite."""

from crossloom.devices import GaussianDevice, IdealDevice, make_device
from crossloom.spec import CellSpec, GaussianDeviceSpec, IdealDeviceSpec, PulseSpec, load_system
from crossloom.testing import DeviceModelSuite

PULSE = PulseSpec(width=1e-7, step=5e-7, max_width=1e-5)


def gaussian(**fields) -> GaussianDevice:
    spec = GaussianDeviceSpec(**fields)
    return GaussianDevice(spec, CellSpec(g_min=1e-6, g_max=4e-5, pulse=PULSE, device=spec))


class TestIdealDevice(DeviceModelSuite):
    def make(self):
        return IdealDevice(IdealDeviceSpec(), CellSpec(g_min=1e-6, g_max=4e-5, pulse=PULSE))


class TestIdealDeviceWithoutPulses(DeviceModelSuite):
    def make(self):
        return IdealDevice(IdealDeviceSpec(), CellSpec(g_min=0, g_max=1e-4))


class TestGaussianDeviceWithEverything(DeviceModelSuite):
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


class TestCellsOfTheFirstChip(DeviceModelSuite):
    def make(self):
        return make_device(load_system("tsinghua_c200").macro.cell)


class TestCellsOfNeurram(DeviceModelSuite):
    def make(self):
        return make_device(load_system("neurram").macro.cell)
