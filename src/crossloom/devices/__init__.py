"""Device models: the physics of a cell as three events, set (or pulsed), read, and time passing."""

from crossloom.devices.delivery import as_new, nominal_change
from crossloom.devices.gaussian import GaussianDevice
from crossloom.devices.ideal import IdealDevice
from crossloom.devices.jump_table import JumpDistribution, JumpTableDevice
from crossloom.devices.model import Curved, Delivered, DeviceModel, Disturbed, Nudged, Pulsed, read
from crossloom.devices.relaxation import Relaxation
from crossloom.devices.soft_bounds import SoftBoundsDevice
from crossloom.devices.state import FREE, STUCK_HIGH, STUCK_LOW, CellState
from crossloom.devices.synaptogen import MixtureIV, SynaptogenDevice
from crossloom.registry import Registry
from crossloom.spec import CellSpec, RegisteredDeviceSpec

device_models: Registry = Registry("device model", "crossloom.device_models")
device_models.register("ideal", IdealDevice)
device_models.register("gaussian", GaussianDevice)
device_models.register("synaptogen", SynaptogenDevice)
device_models.register("jump_table", JumpTableDevice)
device_models.register("soft_bounds", SoftBoundsDevice)


def make_device(cell: CellSpec) -> DeviceModel:
    """The device model that a cell's specification describes. ConfigError when none has its name."""
    device = cell.device
    name = device.name if isinstance(device, RegisteredDeviceSpec) else device.kind
    return device_models[name](device, cell)


__all__ = [
    "FREE",
    "STUCK_HIGH",
    "STUCK_LOW",
    "CellState",
    "Curved",
    "Delivered",
    "DeviceModel",
    "Disturbed",
    "GaussianDevice",
    "IdealDevice",
    "JumpDistribution",
    "JumpTableDevice",
    "MixtureIV",
    "Nudged",
    "Pulsed",
    "Relaxation",
    "SoftBoundsDevice",
    "SynaptogenDevice",
    "as_new",
    "device_models",
    "make_device",
    "nominal_change",
    "read",
]
