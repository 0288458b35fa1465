"""Hardware descriptions: system ▸ chip ▸ core ▸ macro ▸ crossbar ▸ cell. Facts, no torch."""

from crossloom.spec.adc import Adc, IdealAdc, RampAdc, SarAdc
from crossloom.spec.base import Config, Frozen, Spec, by_kind
from crossloom.spec.cell import CellSpec
from crossloom.spec.dac import DacSpec
from crossloom.spec.device import DeviceSpec, GaussianDeviceSpec, IdealDeviceSpec, RegisteredDeviceSpec
from crossloom.spec.device_presets import DevicePreset, list_devices, load_device
from crossloom.spec.fluctuation import FlickerNoiseSpec, TelegraphNoiseSpec, ThermalNoiseSpec
from crossloom.spec.inputs import BitSerial, InputMode, MultiLevel, Pulse
from crossloom.spec.iv import AccessSpec, IvSpec, PolynomialIvSpec, SinhIvSpec, TableIvSpec
from crossloom.spec.jump_table import Jumps, JumpTable, JumpTableDeviceSpec
from crossloom.spec.loading import list_systems, load_system
from crossloom.spec.macro import CrossbarSpec, MacroSpec, Pairing
from crossloom.spec.pulse import PulseSpec
from crossloom.spec.readout import IntegratorSpec, ReadoutSpec
from crossloom.spec.relaxation import (
    ClippedLogarithmSpec,
    DriftSpec,
    LogarithmicRelaxationSpec,
    RelaxationSpec,
    TabulatedRelaxationSpec,
)
from crossloom.spec.soft_bounds import SoftBoundsDeviceSpec
from crossloom.spec.spread import SaturatingSpreadSpec, Spread, SpreadSpec
from crossloom.spec.synaptogen import SynaptogenDeviceSpec, SynaptogenFit
from crossloom.spec.system import (
    BufferSpec,
    ChipSpec,
    CoreSpec,
    LinkSpec,
    MacroAddress,
    PrecisionSpec,
    SystemSpec,
)
from crossloom.spec.wear import ROOM_TEMPERATURE, EnduranceSpec, ReadDisturbSpec, TemperatureSpec
from crossloom.spec.wires import Wires

__all__ = [
    "ROOM_TEMPERATURE",
    "AccessSpec",
    "Adc",
    "BitSerial",
    "BufferSpec",
    "CellSpec",
    "ChipSpec",
    "ClippedLogarithmSpec",
    "Config",
    "CoreSpec",
    "CrossbarSpec",
    "DacSpec",
    "DevicePreset",
    "DeviceSpec",
    "DriftSpec",
    "EnduranceSpec",
    "FlickerNoiseSpec",
    "Frozen",
    "GaussianDeviceSpec",
    "IdealAdc",
    "IdealDeviceSpec",
    "InputMode",
    "IntegratorSpec",
    "IvSpec",
    "JumpTable",
    "JumpTableDeviceSpec",
    "Jumps",
    "LinkSpec",
    "LogarithmicRelaxationSpec",
    "MacroAddress",
    "MacroSpec",
    "MultiLevel",
    "Pairing",
    "PolynomialIvSpec",
    "PrecisionSpec",
    "Pulse",
    "PulseSpec",
    "RampAdc",
    "ReadDisturbSpec",
    "ReadoutSpec",
    "RegisteredDeviceSpec",
    "RelaxationSpec",
    "SarAdc",
    "SaturatingSpreadSpec",
    "SinhIvSpec",
    "SoftBoundsDeviceSpec",
    "Spec",
    "Spread",
    "SpreadSpec",
    "SynaptogenDeviceSpec",
    "SynaptogenFit",
    "SystemSpec",
    "TableIvSpec",
    "TabulatedRelaxationSpec",
    "TelegraphNoiseSpec",
    "TemperatureSpec",
    "ThermalNoiseSpec",
    "Wires",
    "by_kind",
    "list_devices",
    "list_systems",
    "load_device",
    "load_system",
]
