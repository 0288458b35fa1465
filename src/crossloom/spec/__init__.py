"""Hardware descriptions: system ▸ chip ▸ core ▸ macro ▸ crossbar ▸ cell. Facts, no torch."""

from crossloom.spec.base import Config, Frozen, Spec, by_kind
from crossloom.spec.cell import (
    CellSpec,
    DeviceSpec,
    GaussianDeviceSpec,
    IdealDeviceSpec,
    PulseSpec,
    RegisteredDeviceSpec,
    SpreadSpec,
)
from crossloom.spec.inputs import BitSerial, InputMode, MultiLevel, Pulse
from crossloom.spec.loading import list_systems, load_system
from crossloom.spec.macro import CrossbarSpec, DacSpec, IntegratorSpec, MacroSpec, Pairing, ReadoutSpec
from crossloom.spec.system import (
    ChipSpec,
    CoreSpec,
    LinkSpec,
    MacroAddress,
    PrecisionSpec,
    SystemSpec,
)

__all__ = [
    "BitSerial",
    "CellSpec",
    "ChipSpec",
    "Config",
    "CoreSpec",
    "CrossbarSpec",
    "DacSpec",
    "DeviceSpec",
    "Frozen",
    "GaussianDeviceSpec",
    "IdealDeviceSpec",
    "InputMode",
    "IntegratorSpec",
    "LinkSpec",
    "MacroAddress",
    "MacroSpec",
    "MultiLevel",
    "Pairing",
    "PrecisionSpec",
    "Pulse",
    "PulseSpec",
    "ReadoutSpec",
    "RegisteredDeviceSpec",
    "Spec",
    "SpreadSpec",
    "SystemSpec",
    "by_kind",
    "list_systems",
    "load_system",
]
