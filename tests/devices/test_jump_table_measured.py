"""The measured TaOx tables (Sandia, BSD-3, cross-sim-data 2ebec1f), where CROSSLOOM_DATA names a folder with them."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from crossloom.backends import SimulatedBackend
from crossloom.devices import JumpDistribution, JumpTableDevice
from crossloom.errors import SpecError
from crossloom.hardware import Region
from crossloom.programming import WriteVerify
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, JumpTable, JumpTableDeviceSpec, MacroAddress, PulseSpec, load_system
from crossloom.testing import DeviceModelSuite

NAMES = ("01", "10", "15", "18")


def path_of(name: str) -> Path:
    folder = os.environ.get("CROSSLOOM_DATA")
    path = Path(folder or "") / "device" / "taox_pulse_tables" / f"taox_{name}.npz"
    if not folder or not path.is_file():
        pytest.skip("CROSSLOOM_DATA holds no TaOx tables")
    return path


@pytest.fixture(scope="module")
def table() -> JumpTable:
    return JumpTable.read(path_of("10"))


@pytest.fixture(scope="module")
def model(table) -> JumpTableDevice:
    spec = JumpTableDeviceSpec(table=table)
    pulse = PulseSpec(width=1e-7, step=2e-5, max_width=1e-7, tolerance=1.6e-6, max_pulses=1000)
    return JumpTableDevice(spec, CellSpec(g_min=1.1e-5, g_max=1.09e-4, pulse=pulse, device=spec))


@pytest.mark.slow
class TestMeasuredCells(DeviceModelSuite):
    shape = (60, 60)

    @pytest.fixture(autouse=True)
    def _keep(self, model):
        self.model = model

    def make(self):
        return self.model


def test_one_table_is_a_distribution_as_it_is_and_three_are_refused_with_the_row_where_they_are_not():
    JumpTable.read(path_of("10"))
    for name, row in (("01", 439), ("15", 352), ("18", 13)):
        with pytest.raises(SpecError, match=rf"taox_{name}.npz: .*increasing: .* row {row} \(probability"):
            JumpTable.read(path_of(name))


@pytest.mark.parametrize("name", ["01", "18"])
def test_rearranging_keeps_every_change_and_its_probability(name):
    raw = np.load(path_of(name), allow_pickle=False)
    read = JumpTable.read(path_of(name), rearranged=True)
    for direction in ("increasing", "decreasing"):
        change = np.array(getattr(read, direction).change)
        assert np.array_equal(change, np.sort(raw[f"{direction}_change"].astype(float), 0))


def test_jumps_have_the_measured_mean_and_spread(table):
    """20,000 pulses at each of four conductances; 5 deviations of mean and of variance."""
    draws = derive_generator(0, "measured")
    for part in (table.increasing, table.decreasing):
        change, distribution = np.array(part.change), JumpDistribution.of(part)
        for bin_ in (100, 200, 300, 400):
            conductance = torch.full((20_000,), part.conductance[bin_], dtype=torch.float64)
            drawn = distribution.change(conductance, torch.rand(20_000, generator=draws, dtype=torch.float64))
            column = change[:, bin_]
            kurtosis = ((column - column.mean()) ** 4).mean() / column.var() ** 2
            assert drawn.mean().item() == pytest.approx(column.mean(), abs=5 * column.std() / 20_000**0.5)
            slack = 5 * ((kurtosis - 1) / 20_000) ** 0.5
            # 501 points weigh a little otherwise than the line between them does
            assert drawn.var().item() == pytest.approx(column.var(), rel=slack + 0.02)


def test_write_verify_on_a_chip_of_measured_cells_reaches_five_bit_targets(table):
    """4,096 cells, single pulses, half a level (1.6 uS): all but 0.5 % of them by 500 pulses."""
    device = {"kind": "jump_table", "table": table}
    pulse = {"width": 1e-7, "step": 2e-5, "max_width": 1e-7}
    cell = {"g_min": 1.1e-5, "g_max": 1.09e-4, "pulse": pulse, "device": device}
    crossbar = "chip.core.macro.crossbar"
    sizes = {f"{crossbar}.num_rows": 64, f"{crossbar}.num_columns": 64}
    backend = SimulatedBackend(load_system("ideal", {f"{crossbar}.cell": cell, **sizes}))
    drawn = torch.randint(0, 32, (64, 64), generator=derive_generator(0, "levels")).double()
    targets = 1.1e-5 + drawn * 9.8e-5 / 31
    strategy = WriteVerify(tolerance=9.8e-5 / 62, max_pulses=500)
    written = strategy.write(backend, MacroAddress(0, 0, 0), Region(0, 0, 64, 64), targets)
    assert written.failed.double().mean() < 0.005
    assert 10 < written.pulses.double().mean() < 100


def test_the_numbers_go_into_a_specification_and_out_again(table):
    assert JumpTable.parse(table.model_dump(mode="json")) == table
