"""Device models of one's own: registered under a name, and named in a specification."""

from dataclasses import dataclass, replace

import pytest
import torch

from crossloom.backends import SimulatedBackend
from crossloom.devices import DeviceModel, device_models, make_device
from crossloom.errors import ConfigError
from crossloom.hardware import Region
from crossloom.spec import CellSpec, MacroAddress, RegisteredDeviceSpec, load_system


def test_a_model_of_ones_own_is_registered_and_named_in_a_specification():
    @dataclass(frozen=True)
    class Halving(DeviceModel):
        spec: RegisteredDeviceSpec
        cell: CellSpec

        def set(self, state, target, generator):
            return replace(state, conductance=target * self.spec.parameters["share"])

        def read_noise(self, conductance):
            return None

        def relax(self, state, elapsed, generator):
            return state

    device_models.register("halving", Halving)
    device = {"kind": "registered", "name": "halving", "parameters": {"share": 0.5}}
    system = load_system("ideal", {"chip.core.macro.crossbar.cell.device": device})
    region = Region(0, 0, 2, 2)
    chips = SimulatedBackend(system)
    chips.set(MacroAddress(0, 0, 0), region, torch.full((2, 2), 4e-5))
    again = SimulatedBackend.from_state(chips.to_state())
    assert again.read(MacroAddress(0, 0, 0), region).flatten().tolist() == pytest.approx([2e-5] * 4)


def test_a_model_that_nobody_registered_is_refused_with_the_nearest_names():
    cell = load_system(
        "ideal", {"chip.core.macro.crossbar.cell.device": {"kind": "registered", "name": "gausian"}}
    ).macro.cell
    with pytest.raises(ConfigError, match="did you mean gaussian"):
        make_device(cell)
