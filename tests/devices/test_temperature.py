"""What temperature does to cells: faster time, another conductance, thermal noise."""

from math import exp, log, sqrt

import pytest
import torch

from crossloom.devices import GaussianDevice, read
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, GaussianDeviceSpec, PulseSpec
from crossloom.units import eV

SHAPE = (400, 300)
NUM_CELLS = SHAPE[0] * SHAPE[1]
TARGET = 2e-5
BOLTZMANN = 1.380649e-23
HOT = {"operating": 358.15, "activation_energy": 1.1 * eV}
ACCELERATION = exp(1.1 * 1.602176634e-19 / BOLTZMANN * (1 / 300 - 1 / 358.15))
LINE = {"kind": "logarithmic", "shift_slope": -1e-7}


def device(**fields) -> GaussianDevice:
    spec = GaussianDeviceSpec(**fields)
    pulse = PulseSpec(width=1e-7, step=5e-7, max_width=1e-5)
    return GaussianDevice(spec, CellSpec(g_min=1e-6, g_max=4e-5, pulse=pulse, device=spec))


def generator(name: str) -> torch.Generator:
    return derive_generator(0, name)


def cells(model: GaussianDevice):
    state = model.deliver(SHAPE, generator("cells"), generator("chip"))
    return model.set(state, torch.full(SHAPE, TARGET, dtype=torch.float64), generator("set"))


def test_time_passes_faster_where_it_is_hot():
    """85 degrees and 1.1 eV: about a thousand times as fast as at 300 K."""
    assert 900 < ACCELERATION < 1100
    hot, cold = device(relaxation=LINE, temperature=HOT), device(relaxation=LINE)
    one = hot.relax(cells(hot), 60.0, generator("relax")).conductance
    other = cold.relax(cells(cold), 60.0 * ACCELERATION, generator("relax")).conductance
    torch.testing.assert_close(one, other, rtol=1e-9, atol=0)
    assert one[0, 0].item() == pytest.approx(TARGET - 1e-7 * log(60 * ACCELERATION))


def test_time_runs_as_usual_without_an_activation_energy():
    warm = device(relaxation=LINE, temperature={"operating": 400.0})
    shift = warm.relax(cells(warm), 60.0, generator("relax")).conductance - TARGET
    assert shift[0, 0].item() == pytest.approx(-1e-7 * log(60))


def test_cells_baked_in_an_oven_have_aged_when_they_come_back():
    """A day at 85 degrees and then one at 300 K: the state remembers how far it has come."""
    hot, cold = device(relaxation=LINE, temperature=HOT), device(relaxation=LINE)
    state = hot.relax(cells(hot), 86400.0, generator("relax"))
    state = cold.relax(state, 86400.0, generator("relax"))
    expected = TARGET - 1e-7 * log(86400 * (ACCELERATION + 1))
    assert state.conductance[0, 0].item() == pytest.approx(expected)


def test_cells_settle_faster_where_it_is_hot():
    fields = {"programming_error": 1e-6, "settling_time": 1000.0}
    model = device(**fields, temperature=HOT)
    widths = torch.full(SHAPE, 4e-6, dtype=torch.float64)
    state = model.pulse(model.deliver(SHAPE, generator("c"), generator("d")), widths, generator("pulse"))
    error = model.relax(state, 1.0, generator("relax")).conductance - state.conductance
    expected = 1e-6 * sqrt(1 - exp(-ACCELERATION / 1000))
    assert error.std().item() == pytest.approx(expected, rel=5 / sqrt(2 * NUM_CELLS))


def test_traps_switch_faster_where_it_is_hot():
    noise = {"amplitude": 0.2, "capture_time": 1e4, "emission_time": 1e4}
    changed = []
    for temperature in (None, HOT):
        model = device(telegraph_noise=noise, temperature=temperature)
        state = cells(model)
        after = model.relax(state, 10.0, generator("relax"))
        changed.append((after.conductance != state.conductance).double().mean().item())
    expected = [(1 - exp(-2e-4 * 10 * factor)) / 2 for factor in (1, ACCELERATION)]
    for found, share in zip(changed, expected, strict=True):
        assert abs(found - share) < 5 * sqrt(share * (1 - share) / NUM_CELLS)


def test_conductance_changes_by_its_coefficient_per_kelvin():
    model = device(temperature={"operating": 350.0, "coefficient": -2e-3})
    assert cells(model).conductance.unique().tolist() == pytest.approx([TARGET * 0.9])


def test_pulses_at_another_temperature_are_seen_at_that_temperature():
    """Write-verify meets what the cell conducts now; a pulse does not write the heat into the cell."""
    model = device(temperature={"operating": 350.0, "coefficient": -2e-3}, pulse_spread=0.0)
    state = cells(model)
    widths = torch.full(SHAPE, 4e-7, dtype=torch.float64)
    after = model.pulse(state, widths, generator("pulse"))
    assert after.conductance.unique().tolist() == pytest.approx([(TARGET + 2e-6) * 0.9])


@pytest.mark.parametrize("temperature", [None, 360.0])
def test_thermal_noise_is_that_of_johnson(temperature):
    """sqrt(4 k T g B) / V; 120,000 reads, seed 0, 5 standard errors."""
    fields = {} if temperature is None else {"temperature": {"operating": temperature}}
    model = device(thermal_noise={"bandwidth": 1e8, "voltage": 0.1}, **fields)
    state = cells(model)
    noise = read(model, state, generator("read")) - state.conductance
    expected = sqrt(4 * BOLTZMANN * (temperature or 300.0) * TARGET * 1e8) / 0.1
    assert noise.std().item() == pytest.approx(expected, rel=5 / sqrt(2 * NUM_CELLS))


def test_noises_add_in_variance():
    model = device(read_noise=3e-7, thermal_noise={"bandwidth": 1e8, "voltage": 0.1})
    thermal = sqrt(4 * BOLTZMANN * 300 * TARGET * 1e8) / 0.1
    noise = model.read_noise(cells(model))
    assert noise is not None
    assert noise.unique().tolist() == pytest.approx([sqrt(9e-14 + thermal**2)])
