"""Device models: the physics of a cell as three events, set (or pulsed), read, and time passing."""

from crossloom.devices.delivery import as_new
from crossloom.devices.gaussian import GaussianDevice
from crossloom.devices.ideal import IdealDevice
from crossloom.devices.model import Delivered, DeviceModel, Pulsed, read
from crossloom.devices.state import FREE, STUCK_HIGH, STUCK_LOW, CellState
from crossloom.registry import Registry
from crossloom.spec import CellSpec, RegisteredDeviceSpec

device_models: Registry = Registry("device model", "crossloom.device_models")
device_models.register("ideal", IdealDevice)
device_models.register("gaussian", GaussianDevice)


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
    "Delivered",
    "DeviceModel",
    "GaussianDevice",
    "IdealDevice",
    "Pulsed",
    "as_new",
    "device_models",
    "make_device",
    "read",
]
